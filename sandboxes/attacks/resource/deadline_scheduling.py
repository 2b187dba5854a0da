DEADLINE = 6
attributes = (ctypes.c_uint64 * 6)(48 | DEADLINE << 32, 0, 0, 10_000_000, 30_000_000, 30_000_000)
value, error = call("sched_setattr", 0, attributes, 0)
broke_out("SCHED_DEADLINE") if error is None else held(error)
