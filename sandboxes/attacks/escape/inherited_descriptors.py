found = []
for descriptor in range(3, 1024):
    try:
        found.append((descriptor, oct(os.fstat(descriptor).st_mode)))
    except OSError:
        pass
broke_out(found) if found else held()
