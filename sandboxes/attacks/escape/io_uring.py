held(refused("io_uring_setup", 4, ctypes.create_string_buffer(120)))
