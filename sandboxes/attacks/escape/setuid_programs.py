import stat

found = []
for name in ("su", "sudo", "mount", "umount", "passwd", "newgrp", "chsh", "pkexec", "ping", "fusermount3"):
    for folder in ("/bin", "/usr/bin", "/usr/local/bin"):
        path = os.path.join(folder, name)
        try:
            honoured = not os.statvfs(path).f_flag & os.ST_NOSUID
            if os.stat(path).st_mode & stat.S_ISUID and honoured and ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) != 1:
                found.append(path)
        except OSError:
            pass
broke_out(found) if found else held()
