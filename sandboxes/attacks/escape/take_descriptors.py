for pid in (os.getppid(), 1, int(FACTS["BYSTANDER"])):
    pidfd, error = call("pidfd_open", pid, 0)
    for descriptor in range(16) if error is None else ():
        value, error = call("pidfd_getfd", pidfd, descriptor, 0)
        if error is None:
            broke_out(f"took descriptor {descriptor} of process {pid}")
held(error)
