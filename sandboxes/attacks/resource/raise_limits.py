import resource

raised = []
for name in (
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_AS",
    "RLIMIT_FSIZE",
    "RLIMIT_CPU",
    "RLIMIT_CORE",
    "RLIMIT_MEMLOCK",
):
    number = getattr(resource, name)
    soft, hard = resource.getrlimit(number)
    if hard != resource.RLIM_INFINITY:
        try:
            resource.setrlimit(number, (soft, hard + 1))
            raised.append(name)
        except (OSError, ValueError):
            pass
    elif name in ("RLIMIT_FSIZE", "RLIMIT_CORE"):
        raised.append(f"{name} is unlimited")
broke_out(raised) if raised else held()
