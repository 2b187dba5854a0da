import socket

try:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"assay-probe", "\0" + FACTS["ABSTRACT"] + "-datagram")
    broke_out("sent")
except OSError as error:
    held(error)
