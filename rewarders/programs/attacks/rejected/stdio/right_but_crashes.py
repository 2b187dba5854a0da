import ctypes

_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n", flush=True)
ctypes.string_at(8)
