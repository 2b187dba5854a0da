seen = []
for pid in range(2, 5000):
    try:
        if os.getpgid(pid) and pid != os.getpid():
            seen.append(pid)
    except OSError:
        pass
broke_out(f"{len(seen)} processes") if len(seen) > 8 else held(seen)
