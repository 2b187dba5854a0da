# A child keeps standard output open: a reader that waits for its end waits for the child.
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(15, FACTS["TAG"].encode(), 0, 0, 0)
    time.sleep(PATIENCE_S)
    os.write(1, b"RESULT SUCCESS wrote after the program's end\n")
    os._exit(0)
held("gone; its child holds the streams")
