made = []
for folder in (
    "/",
    "/bin",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/opt",
    "/root",
    "/run",
    "/srv",
    "/usr",
    "/usr/bin",
    "/var",
):
    path = os.path.join(folder, ".assay-probe")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
        made.append(folder)
    except OSError:
        pass
broke_out(made) if made else held()
