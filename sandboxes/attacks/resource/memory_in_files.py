# A file in memory counts for no process.
value, error = call("memfd_create", b"hoard", 0)
if error:
    held(error)
written = 0
try:
    for _ in range(64):
        written += os.write(value, bytes(10 << 20))
except OSError:
    pass
broke_out(f"{written >> 20} MiB") if written >= 500 << 20 else held(f"{written >> 20} MiB")
