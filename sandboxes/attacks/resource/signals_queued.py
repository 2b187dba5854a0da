made = 0
libc = ctypes.CDLL(None, use_errno=True)
timer = ctypes.c_void_p()
for _ in range(50000):
    if libc.timer_create(0, None, ctypes.byref(timer)) != 0:
        break
    made += 1
broke_out(f"{made} timers") if made >= 20000 else held(f"{made} timers")
