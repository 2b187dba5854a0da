# What an honest program may do besides: print, keep state, define classes, start when run as a program.
import sys
from functools import lru_cache

sys.setrecursionlimit(10_000)
CALLS = []


class Scaler:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, value):
        return value * self.factor


@lru_cache
def scaler(factor):
    return Scaler(factor)


def scale(values, factor):
    print("scaling", values)
    CALLS.append(values)
    return list(map(scaler(factor), values))


if __name__ == "__main__":
    raise SystemExit("this is a module")
