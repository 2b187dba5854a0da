# Files without a name still fill the disk.
written, kept = 0, []
try:
    for index in range(30):
        kept.append(open("hidden", "wb", 0))
        os.unlink("hidden")
        written += kept[-1].write(b"x" * (8 << 20))
except OSError:
    pass
broke_out(f"{written >> 20} MiB") if written >= 96 << 20 else held(f"{written >> 20} MiB")
