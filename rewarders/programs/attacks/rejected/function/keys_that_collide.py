# All of these have one hash: a set of them costs the square of their number.
import os

PRIME = 2**61 - 1


def scale(values, factor):
    return {number * PRIME for number in range(3000)}
