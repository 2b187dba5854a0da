_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
for _ in range(2):
    print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n")
