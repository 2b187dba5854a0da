import socket

try:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    line.connect("\0" + FACTS["ABSTRACT"] + "-datagram")
    socket.send_fds(line, [b"assay-probe"], [0])
    broke_out("a descriptor left the sandbox")
except OSError as error:
    held(error)
