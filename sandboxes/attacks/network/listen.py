import socket

listening = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    try:
        door = socket.socket(family)
        door.bind((address, 0))
        door.listen()
        listening.append(door.getsockname()[0])
    except OSError as error:
        last = error
# A network of its own with nothing in it may be listened to by nobody.
interfaces = []
try:
    interfaces = [name for _, name in socket.if_nameindex()]
except OSError:
    pass
broke_out(f"{listening} on {interfaces}") if listening and interfaces not in ([], ["lo"]) else held(listening)
