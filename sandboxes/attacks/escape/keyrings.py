SESSION, GET_ID = -3, 0
error = refused("keyctl", GET_ID, SESSION, 0, 0, 0)
refused("add_key", b"user", b"assay-probe", b"x", 1, -2)
refused("request_key", b"user", b"assay-probe", None, 0)
held(error)
