held(refused("migrate_pages", int(FACTS["BYSTANDER"]), 8, ctypes.c_ulong(0), ctypes.c_ulong(0)))
