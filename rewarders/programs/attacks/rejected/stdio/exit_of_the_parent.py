# The answer is right, but of a child that the program does not wait for.
import os
import time

if os.fork():
    os._exit(0)
time.sleep(0.3)
_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n")
