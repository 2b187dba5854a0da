_, factor = map(int, input().split())
print([int(word) * factor for word in input().split()])
