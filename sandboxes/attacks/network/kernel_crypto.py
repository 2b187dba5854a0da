import socket

try:
    line = socket.socket(38, socket.SOCK_SEQPACKET)
    line.bind(("hash", "sha256"))
    broke_out("AF_ALG")
except OSError as error:
    held(error)
