reached = []
for pid in {os.getppid(), int(FACTS["BYSTANDER"])} - {0, 1}:
    try:
        os.kill(pid, 0)
        reached.append(pid)
    except OSError as error:
        last = error
broke_out(f"could signal {reached}") if reached else held()
