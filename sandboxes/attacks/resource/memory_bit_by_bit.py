kept = []
try:
    while len(kept) < 120:
        kept.append(os.urandom(1 << 10) * (10 << 10))
except MemoryError:
    del kept[:]
    held("MemoryError")
broke_out(f"{len(kept) * 10} MiB")
