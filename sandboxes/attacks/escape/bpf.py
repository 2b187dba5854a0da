held(refused("bpf", 0, 0, 0))
