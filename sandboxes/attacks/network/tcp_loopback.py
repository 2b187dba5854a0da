import socket

try:
    broke_out(socket.create_connection(("127.0.0.1", int(FACTS["TCP_PORT"])), 1).recv(16))
except OSError as error:
    held(error)
