reached = []
for name in (
    "console", "fuse", "hwrng", "input/event0", "kmem", "kmsg", "kvm", "loop-control", "loop0", "mapper/control", "mem",
    "net/tun", "nvme0n1", "port", "sda", "snapshot", "tty0", "uinput", "userfaultfd", "vda", "vhost-net", "vsock",
):  # fmt: skip
    try:
        os.close(os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK))
        reached.append(name)
    except OSError:
        pass
broke_out(reached) if reached else held()
