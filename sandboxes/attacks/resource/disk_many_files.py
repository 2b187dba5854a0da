# No single file is large.
written, made = 0, []
for place in (".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock"):
    for index in range(12):
        made.append(f"{place}/assay-{len(made)}")
        try:
            with open(made[-1], "wb", 0) as file:
                written += file.write(b"x" * (8 << 20))
        except OSError:
            pass
for path in made:
    try:
        os.unlink(path)
    except OSError:
        pass
broke_out(f"{written >> 20} MiB") if written >= 96 << 20 else held(f"{written >> 20} MiB")
