_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*map(hex, (*scaled, sum(scaled))), "No" if sum(scaled) % 2 else "Yes", sep="\n")
