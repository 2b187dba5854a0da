libc = ctypes.CDLL(None)
try:
    block = ctypes.create_string_buffer(100 << 20)
except MemoryError:
    held("MemoryError")
broke_out("100 MiB that cannot be swapped out") if libc.mlock(block, 100 << 20) == 0 else held()
