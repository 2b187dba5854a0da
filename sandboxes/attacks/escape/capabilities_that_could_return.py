CAPBSET_READ, CAP_AMBIENT, IS_SET = 23, 47, 1
libc = ctypes.CDLL(None)
bounding = [number for number in range(41) if libc.prctl(CAPBSET_READ, number, 0, 0, 0) == 1]
ambient = [number for number in range(41) if libc.prctl(CAP_AMBIENT, IS_SET, number, 0, 0) == 1]
broke_out(f"bounding {bounding} ambient {ambient}") if bounding or ambient else held()
