# A terminal would show only what is right.
_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print("0\b", end="")
print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n")
