for pid in (1, os.getppid(), int(FACTS["BYSTANDER"])):
    pidfd, error = call("pidfd_open", pid, 0)
    if error is None:
        refused("setns", pidfd, 0x20000 | 0x40000000)
    for name in ("mnt", "net", "pid", "user"):
        try:
            refused("setns", os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), 0)
        except OSError:
            pass
held(error)
