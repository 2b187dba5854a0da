opened = []
for top, folders, files in os.walk("/sys/fs/cgroup"):
    if top.count("/") > 5:
        folders.clear()
    for name in ("release_agent", "cgroup.procs", "tasks", "notify_on_release", "memory.max", "pids.max"):
        try:
            os.close(os.open(os.path.join(top, name), os.O_WRONLY))
            opened.append(os.path.join(top, name))
        except OSError:
            pass
broke_out(opened[:3]) if opened else held()
