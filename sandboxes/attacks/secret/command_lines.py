seen = []
for pid in {int(FACTS["BYSTANDER"]), os.getppid(), *processes()} - {0, 1, os.getpid()}:
    try:
        seen.append((pid, open(f"/proc/{pid}/cmdline", "rb").read()[:80]))
    except OSError:
        pass
broke_out(seen) if seen else held()
