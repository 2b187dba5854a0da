import socket

made = []
for family, kind, protocol in (
    (2, socket.SOCK_RAW, 1),
    (2, socket.SOCK_RAW, 255),
    (10, socket.SOCK_RAW, 58),
    (17, socket.SOCK_RAW, 768),
):
    try:
        socket.socket(family, kind, protocol)
        made.append((family, protocol))
    except OSError:
        pass
broke_out(made) if made else held()
