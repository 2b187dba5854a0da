held("no such thing here") if "iopl" not in NUMBERS else held(refused("iopl", 3))
