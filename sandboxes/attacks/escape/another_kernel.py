error = refused("kexec_load", 0, 0, None, 0)
refused("kexec_file_load", -1, -1, 0, None, 0)
refused("reboot", 0, 0, 0, None)  # without its magic numbers it does nothing
held(error)
