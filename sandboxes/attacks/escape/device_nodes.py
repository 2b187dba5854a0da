import stat

made = []
for name, kind, major, minor in (
    ("mem", stat.S_IFCHR, 1, 1),
    ("kmsg", stat.S_IFCHR, 1, 11),
    ("disk", stat.S_IFBLK, 8, 0),
):
    try:
        os.mknod(name, kind | 0o666, os.makedev(major, minor))
        made.append(name)
    except OSError:
        pass
broke_out(made) if made else held()
