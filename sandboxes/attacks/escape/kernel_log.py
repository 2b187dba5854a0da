SIZE_BUFFER, READ_ALL = 10, 3
value, error = call("syslog", READ_ALL, ctypes.create_string_buffer(256), 256)
broke_out("read the kernel's log") if error is None and value > 0 else held(error)
