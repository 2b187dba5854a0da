import socket

reached = []
for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):  # addresses of nobody
    try:
        line = socket.socket(family, socket.SOCK_DGRAM)
        line.connect((address, 53))
        reached.append(line.getsockname())
    except OSError:
        pass
broke_out(reached) if reached else held()
