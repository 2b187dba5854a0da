import signal

for _ in range(5):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, FACTS["TAG"].encode(), 0, 0, 0)
        for descriptor in range(3):
            os.close(descriptor)
        signal.alarm(int(PATIENCE_S) + 2)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
time.sleep(0.1)
held("gone; whether its stopped children are too is for the host to see")
