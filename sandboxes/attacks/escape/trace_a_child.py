SEIZE = 0x4206
child = os.fork()
if child == 0:
    time.sleep(1)
    os._exit(0)
value, error = call("ptrace", SEIZE, child, 0, 0)
os.kill(child, 9)
broke_out("ptrace can be used") if error is None else held(error)
