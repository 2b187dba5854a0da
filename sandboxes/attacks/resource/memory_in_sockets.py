import socket

MOST = 400 << 20
held_bytes = 0
ends = []
try:
    while held_bytes < MOST and len(ends) < 4000:
        ends.append(socket.socketpair())
        ends[-1][0].setblocking(False)
        ends[-1][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        try:
            while held_bytes < MOST:
                held_bytes += ends[-1][0].send(bytes(1 << 17))
        except BlockingIOError:
            pass
except OSError:
    pass
broke_out(f"{held_bytes >> 20} MiB") if held_bytes >= MOST else held(f"{held_bytes >> 20} MiB")
