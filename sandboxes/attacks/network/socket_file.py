import socket

try:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(1)
    line.connect(FACTS["SOCKET_FILE"])
    broke_out(line.recv(16))
except OSError as error:
    held(error)
