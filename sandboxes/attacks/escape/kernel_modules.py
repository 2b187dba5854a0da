error = refused("init_module", None, 0, b"")
refused("finit_module", -1, b"", 0)
refused("delete_module", b"assay_probe_no_such_module", 0)
held(error)
