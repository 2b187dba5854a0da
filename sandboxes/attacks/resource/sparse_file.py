import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("out", "wb") as file:
        file.truncate(1 << 40)
    broke_out("a file of 1 TiB")
except OSError as error:
    held(error)
