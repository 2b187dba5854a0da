GET_NO_NEW_PRIVS = 39
broke_out("no_new_privs is not set") if ctypes.CDLL(None).prctl(GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 else held()
