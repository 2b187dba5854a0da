# Killed one at a time it is never caught: each life ends by starting the next.
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(15, FACTS["TAG"].encode(), 0, 0, 0)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
    os._exit(0)
time.sleep(0.1)
held("gone; whether it forks on is for the host to see")
