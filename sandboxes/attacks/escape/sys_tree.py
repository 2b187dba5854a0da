seen = [path for path in ("/sys/class", "/sys/kernel", "/sys/firmware", "/sys/fs/bpf") if os.access(path, os.W_OK)]
broke_out(seen) if seen else held()
