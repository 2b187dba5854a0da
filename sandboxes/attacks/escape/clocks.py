now = (ctypes.c_long * 2)(*divmod(time.time_ns(), 10**9))
held(refused("clock_settime", 0, now))
