import resource

reached = []
for pid in {os.getppid(), int(FACTS["BYSTANDER"])} - {0, 1}:
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, resource.prlimit(pid, resource.RLIMIT_NOFILE))
        reached.append(pid)
    except OSError as error:
        last = error
broke_out(reached) if reached else held()
