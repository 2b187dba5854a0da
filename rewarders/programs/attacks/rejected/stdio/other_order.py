_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print("No" if sum(scaled) % 2 else "Yes", sum(scaled), *scaled, sep="\n")
