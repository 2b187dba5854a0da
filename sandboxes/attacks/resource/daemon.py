import signal

if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(15, FACTS["TAG"].encode(), 0, 0, 0)
    for descriptor in range(256):
        try:
            os.close(descriptor)
        except OSError:
            pass
    time.sleep(PATIENCE_S)
    os._exit(0)
time.sleep(0.1)
held("gone; whether its daemon is too is for the host to see")
