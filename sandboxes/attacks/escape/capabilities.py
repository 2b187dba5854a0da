header = (ctypes.c_uint32 * 2)(0x20080522, 0)
sets = (ctypes.c_uint32 * 6)()
call("capget", header, sets)
held_sets = ["%x" % value for value in sets]
broke_out(held_sets) if any(sets) else held()
