# Shared pages that one child after another touches.
import mmap

held_bytes = 0
blocks = []
try:
    for _ in range(12):
        blocks.append(mmap.mmap(-1, 100 << 20))
        blocks[-1][::4096] = b"x" * len(range(0, 100 << 20, 4096))
        held_bytes += 100 << 20
except (OSError, MemoryError, ValueError):
    pass
broke_out(f"{held_bytes >> 20} MiB") if held_bytes >= 600 << 20 else held(f"{held_bytes >> 20} MiB")
