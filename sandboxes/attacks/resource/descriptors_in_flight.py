# What is on its way through a socket is open, and counts for no process.
import socket

left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
left.setblocking(False)
sent = 0
try:
    for _ in range(400):
        socket.send_fds(left, [b"x"], [0] * 100)
        sent += 100
        if sent % 800 == 0:
            socket.send_fds(left, [b"x"], [right.fileno()])
            left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            left.setblocking(False)
except OSError:
    pass
broke_out(f"{sent} descriptors in flight") if sent >= 20000 else held(f"{sent} descriptors")
