import os


def scale(values, factor):
    os.makedirs("reply/reply")
    return [0]
