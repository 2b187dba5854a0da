# What the kernel laid above the stack when this interpreter was started, whoever's child it has become since.
bottom = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "__libc_stack_end").value
child = os.fork()
if child == 0:  # which reads on until it ends of that
    for offset in range(0, 1 << 17, 256):
        os.write(1, ctypes.string_at(bottom + offset, 256))
    os._exit(0)
os.waitpid(child, 0)
print()
held("printed; whether any of it is ours is for the host to see")
