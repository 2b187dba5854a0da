opened = []
for path in (
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/randomize_va_space",
    "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger", "/proc/timer_list",
    "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/security/landlock", "/proc/1/oom_score_adj",
):  # fmt: skip
    try:
        descriptor = os.open(path, os.O_WRONLY)
        if os.fstat(descriptor).st_rdev != os.stat("/dev/null").st_rdev:  # which container engines lay over some
            opened.append(path)
        os.close(descriptor)
    except OSError:
        pass
broke_out(opened) if opened else held()
