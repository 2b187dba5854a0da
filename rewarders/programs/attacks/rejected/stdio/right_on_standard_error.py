import sys

_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n", file=sys.stderr)
