# The program is over at once; what it started is not.
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(15, FACTS["TAG"].encode(), 0, 0, 0)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        pass
    os._exit(0)
time.sleep(0.1)
held("gone; whether its child is too is for the host to see")
