import sys

print("working on it", file=sys.stderr)
count, factor, *values = map(int, sys.stdin.read().split())
scaled = [value * factor for value in values]
sys.stdout.write(" ".join(map(str, scaled)) + "   \n\n%d\n" % sum(scaled))
print(["Yes", "No"][sum(scaled) & 1], end="")
sys.exit()
