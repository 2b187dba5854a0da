_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n")
while True:
    print(" " * 10_000)
