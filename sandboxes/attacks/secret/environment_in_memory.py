# What the kernel laid above the stack when this interpreter was started, whoever's child it has become since.
bottom = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "__libc_stack_end").value
for size in (1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15):
    child = os.fork()
    if child == 0:  # which may read too far, and end of that
        os.write(1, ctypes.string_at(bottom, size) + b"\n")
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        break
held("printed; whether any of it is ours is for the host to see")
