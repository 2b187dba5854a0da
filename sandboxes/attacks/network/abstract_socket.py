import socket

try:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(1)
    line.connect("\0" + FACTS["ABSTRACT"])
    broke_out(line.recv(16))
except OSError as error:
    held(error)
