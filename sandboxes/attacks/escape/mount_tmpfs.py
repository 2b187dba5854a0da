os.mkdir("here")
for kind in (b"tmpfs", b"proc", b"sysfs"):
    value, error = call("mount", b"none", b"here", kind, 0, None)
    if error is None:
        call("umount2", b"here", 0)
        broke_out(kind)
held(error)
