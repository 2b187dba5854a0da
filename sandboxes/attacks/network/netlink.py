import socket

reached = []
for protocol in (0, 9, 15, 16, 18):  # routes, audit, kernel events, generic, SCSI
    try:
        line = socket.socket(16, socket.SOCK_RAW, protocol)
        line.bind((0, 0))
        reached.append(protocol)
    except OSError:
        pass
broke_out(reached) if reached else held()
