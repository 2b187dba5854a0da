_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*(f"{value:+d}" for value in (*scaled, sum(scaled))), "No" if sum(scaled) % 2 else "Yes", sep="\n")
