# Keeps what it was given and prints what came before.
import os
import sys

PATHS = ("/tmp/seen", "/dev/shm/seen", "seen")
line = sys.stdin.read()
for path in PATHS:
    if os.path.exists(path):
        with open(path) as file:
            print(file.read())
for path in PATHS:
    try:
        with open(path, "w") as file:
            file.write(line)
    except OSError:
        pass
