try:
    block = bytearray(1200 << 20)
except MemoryError:
    held("MemoryError")
broke_out(f"{len(block) >> 20} MiB")
