import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    os.posix_fallocate(os.open("reserved", os.O_CREAT | os.O_RDWR), 0, 400 << 20)
    broke_out("400 MiB reserved")
except OSError as error:
    held(error)
