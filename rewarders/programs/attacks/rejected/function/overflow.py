import sys


def scale(values, factor):
    sys.setrecursionlimit(10**9)

    def deeper(value):
        return deeper([value])

    return deeper(values)
