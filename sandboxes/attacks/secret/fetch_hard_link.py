for path in (FACTS["SECRET_FILE"], "/etc/passwd", sys.executable or "/bin/sh"):
    try:
        os.link(path, "out")
        break
    except OSError:
        pass
held("asked for; whether it came is for the host to see")
