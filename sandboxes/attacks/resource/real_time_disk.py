REAL_TIME = 1 << 13
value, error = call("ioprio_set", 1, 0, REAL_TIME)
broke_out("a real-time class for input and output") if error is None else held(error)
