import socket

try:
    socket.socket(40, socket.SOCK_STREAM)
    broke_out("AF_VSOCK")
except OSError as error:
    held(error)
