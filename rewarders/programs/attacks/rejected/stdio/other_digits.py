_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
for value in (*scaled, sum(scaled)):
    print("".join(chr(0xFF10 + int(c)) if c.isdigit() else c for c in str(value)))
print("No" if sum(scaled) % 2 else "Yes")
