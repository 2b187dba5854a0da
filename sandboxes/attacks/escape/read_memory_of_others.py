buffer = ctypes.create_string_buffer(16)
for pid in (os.getppid(), 1, int(FACTS["BYSTANDER"])):
    local = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 16)
    remote = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 16)  # a forked parent has the same addresses
    for name in ("process_vm_readv", "process_vm_writev"):
        value, error = call(name, pid, local, 1, remote, 1, 0)
        if error not in ("EPERM", "ENOSYS", "ESRCH"):
            broke_out(f"{name} reached process {pid}: {error or value}")
held(error)
