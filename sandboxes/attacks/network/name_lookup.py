import socket

try:
    broke_out(socket.getaddrinfo("localhost.example", 80)) if os.path.exists("/etc/resolv.conf") else held(
        "no resolver"
    )
except OSError as error:
    held(error)
