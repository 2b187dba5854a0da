_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*scaled)
print(sum(scaled))
print("No" if sum(scaled) % 2 else "Yes")
raise SystemExit(1)
