import fcntl

TIOCSTI = 0x5412
for path in ("/dev/tty", "/dev/console", "/dev/stdin"):
    try:
        fcntl.ioctl(os.open(path, os.O_RDWR | os.O_NOCTTY), TIOCSTI, b"x")
        broke_out(path)
    except OSError as error:
        last = error
held(last)
