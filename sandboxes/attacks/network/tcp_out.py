import socket

reached = []
for port in (53, 80, 443):
    try:
        line = socket.socket()
        line.settimeout(0.2)
        reached.append(line.connect_ex(("192.0.2.1", port)))  # an address of nobody
    except OSError:
        pass
# Unreachable at once is right; being left to wait means that a packet left.
broke_out(reached) if {errno.EAGAIN, errno.EINPROGRESS, 0} & set(reached) else held(reached)
