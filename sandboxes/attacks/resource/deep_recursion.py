sys.setrecursionlimit(10**8)


def deeper(level):
    return deeper(level + 1) + 1


try:
    deeper(0)
except (RecursionError, MemoryError) as error:
    held(type(error).__name__)
