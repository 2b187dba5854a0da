import socket

try:
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.settimeout(1)
    line.sendto(b"assay-probe", ("127.0.0.1", int(FACTS["UDP_PORT"])))
    broke_out(line.recv(16))
except OSError as error:
    held(error)
