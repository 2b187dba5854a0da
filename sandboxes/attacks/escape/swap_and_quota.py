error = refused("swapon", b"no-such-file", 0)
refused("quotactl", 0x800007 << 8, None, 0, None)
held(error)
