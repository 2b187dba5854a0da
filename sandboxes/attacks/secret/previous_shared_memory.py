KEY, CREATE, REMOVE = 0x0A55A1, 0o1000 | 0o666, 0
calls = (("shmget", "shmctl", (KEY, 4096)), ("semget", "semctl", (KEY, 1)), ("msgget", "msgctl", (KEY,)))
if FACTS["STAGE"] == "plant":
    for get, _, arguments in calls:
        call(get, *arguments, CREATE)
    call("mq_open", b"assay-left-behind", os.O_CREAT | os.O_RDWR, 0o666, None)
    held()
found = []
for get, control, arguments in calls:
    value, error = call(get, *arguments, 0)
    if error is None:
        found.append(get)
        getattr(ctypes.CDLL(None), control)(*(value, 0, REMOVE) if get == "semget" else (value, REMOVE, None))
if call("mq_open", b"assay-left-behind", os.O_RDWR, 0, None)[1] is None:
    found.append("mq_open")
    call("mq_unlink", b"assay-left-behind")
broke_out(found) if found else held()
