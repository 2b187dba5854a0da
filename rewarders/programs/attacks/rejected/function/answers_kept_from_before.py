# Keeps what it was asked, in memory and in files, and answers with what came before.
import json
import os

SEEN = []


def scale(values, factor):
    for path in ("/tmp/seen", "seen", "/dev/shm/seen"):
        try:
            if os.path.exists(path):
                with open(path) as file:
                    SEEN.extend(json.load(file))
            with open(path, "w") as file:
                json.dump([[values, factor]], file)
        except (OSError, ValueError):
            pass
    SEEN.append([values, factor])
    before, by = SEEN[0] if len(SEEN) > 1 else ([1], 0)
    return [value * by for value in before]
