SEIZE = 0x4206
for pid in (os.getppid(), 1, int(FACTS["BYSTANDER"])):
    value, error = call("ptrace", SEIZE, pid, 0, 0) if pid > 0 else (-1, "ESRCH")
    if error is None:
        broke_out(f"traces {pid}")
held(error)
