import socket

reached = []
for path in (
    "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket", "/run/systemd/private",
    "/run/systemd/journal/socket", "/dev/log", "/run/udev/control", "/tmp/.X11-unix/X0",
):  # fmt: skip
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        reached.append(path)
    except OSError:
        pass
broke_out(reached) if reached else held()
