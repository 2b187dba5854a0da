found = []
for path in (
    "/etc/hostname",
    "/etc/machine-id",
    "/etc/fstab",
    "/etc/resolv.conf",
    "/etc/ssh",
    "/boot",
    "/var/log",
    "/root",
):
    try:
        seen = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read()
        # A container has a name, a resolver and empty folders of its own.
        if seen and path not in ("/etc/hostname", "/etc/resolv.conf"):
            found.append(path)
        elif path == "/etc/hostname" and seen.decode().strip() == FACTS["HOST"]:
            found.append(path)
    except OSError:
        pass
broke_out(found) if found else held()
