# A named pipe kept open by the first program must mean nothing to the second.
PIPE = "/tmp/assay-left-behind-pipe"
if FACTS["STAGE"] == "plant":
    try:
        os.mkfifo(PIPE)
    except OSError:
        pass
    if os.fork() == 0:
        os.setsid()
        pipe = os.open(PIPE, os.O_RDWR | os.O_NONBLOCK)
        os.write(pipe, FACTS["TOKEN"].encode())
        for descriptor in range(3):
            os.close(descriptor)
        time.sleep(PATIENCE_S)
        os._exit(0)
    time.sleep(0.1)
    held()
try:
    pipe = os.open(PIPE, os.O_RDONLY | os.O_NONBLOCK)
    os.unlink(PIPE)
    broke_out(os.read(pipe, 200))
except OSError as error:
    held(error)
