written = 0
try:
    with open("large", "wb") as file:
        for _ in range(40):
            written += file.write(bytes(10 << 20))
            file.flush()
except OSError:
    pass
broke_out(f"{written >> 20} MiB") if written >= 100 << 20 else held(f"{written >> 20} MiB")
