seen = []
for name in ("tcp", "tcp6", "udp", "unix"):
    try:
        lines = open(f"/proc/net/{name}").read()
        seen += [name] if FACTS["ABSTRACT"] in lines or ":%04X" % int(FACTS["TCP_PORT"]) in lines else []
    except OSError:
        pass
broke_out(seen) if seen else held()
