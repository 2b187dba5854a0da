changed = []
for path in ("/", "/usr", "/usr/bin", "/tmp/..", "/etc"):
    try:
        mode = os.stat(path).st_mode & 0o7777
        os.chmod(path, mode)
        changed.append(path)
    except OSError:
        pass
broke_out(changed) if changed else held()
