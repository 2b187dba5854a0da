# What execve left above the stack, and what the C library's own table points to.
libc = ctypes.CDLL(None)
table = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
print([table[index] for index in range(500) if table and all(table[earlier] for earlier in range(index + 1))])
try:
    memory = open("/proc/self/mem", "rb", 0)
    for line in open("/proc/self/maps"):
        if "[stack]" in line:
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            memory.seek(first)
            print(memory.read(last - first))
except OSError:
    pass
held("printed; whether any of it is ours is for the host to see")
