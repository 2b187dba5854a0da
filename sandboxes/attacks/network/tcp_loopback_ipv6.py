import socket

try:
    broke_out(socket.create_connection(("::1", int(FACTS["TCP6_PORT"])), 1).recv(16))
except OSError as error:
    held(error)
