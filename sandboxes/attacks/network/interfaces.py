import socket

seen = set()
try:
    seen |= {name for _, name in socket.if_nameindex()}
except OSError:
    pass
try:
    seen |= set(os.listdir("/sys/class/net"))
except OSError:
    pass
try:
    seen |= {line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]}
except OSError:
    pass
broke_out(seen) if seen - {
    "lo",
    "tunl0",
    "ip6tnl0",
    "sit0",
    "gre0",
    "gretap0",
    "erspan0",
    "ip_vti0",
    "ip6_vti0",
    "ip6gre0",
    "bonding_masters",
} else held(seen)
