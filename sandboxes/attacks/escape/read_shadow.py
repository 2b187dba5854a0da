found = []
for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers"):
    try:
        found.append((path, len(open(path, "rb").read())))
    except OSError:
        pass
broke_out(found) if found else held()
