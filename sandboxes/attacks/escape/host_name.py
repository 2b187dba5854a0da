import socket

names = {os.uname().nodename, socket.gethostname()}
broke_out(names) if FACTS["HOST"] in names else held(names)
