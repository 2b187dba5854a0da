import fcntl

SET_SIZE, MOST = 1031, 400 << 20
held_bytes, pipes = 0, 0
try:
    while held_bytes < MOST and pipes < 4000:
        reader, writer = os.pipe()
        pipes += 1
        try:
            fcntl.fcntl(writer, SET_SIZE, 1 << 20)
        except OSError:
            pass
        os.set_blocking(writer, False)
        try:
            while True:
                held_bytes += os.write(writer, bytes(1 << 20))
        except BlockingIOError:
            pass
except OSError:
    pass
broke_out(f"{held_bytes >> 20} MiB") if held_bytes >= MOST else held(f"{held_bytes >> 20} MiB")
