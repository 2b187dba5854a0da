# Keeps what it was given and prints what came before.
import os
import sys

line = sys.stdin.read()
for path in ("seen", "/tmp/seen", "/dev/shm/seen"):
    try:
        if os.path.exists(path):
            with open(path) as file:
                print(file.read())
        with open(path, "w") as file:
            file.write(line)
    except OSError:
        pass
