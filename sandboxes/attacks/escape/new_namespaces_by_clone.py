SIGCHLD, NEWUSER = 17, 0x10000000
value, error = call("clone", NEWUSER | SIGCHLD, 0, 0, 0, 0)
if value == 0:
    os._exit(0)
arguments = (ctypes.c_uint64 * 11)(NEWUSER, 0, 0, 0, SIGCHLD)
value3, error3 = call("clone3", arguments, ctypes.sizeof(arguments))
if value3 == 0:
    os._exit(0)
broke_out("a child in a user namespace of its own") if value > 0 or value3 > 0 else held(f"{error} {error3}")
