value, error = call("memfd_secret", 0)
broke_out("memory that the machine itself cannot read") if error is None else held(error)
