# Each process makes another, nine times over, and nobody waits for anybody.
counter, says = os.pipe()
first = os.getpid()
for _ in range(9):
    try:
        os.fork()
    except OSError:
        break
os.write(says, b"x")
if os.getpid() != first:
    time.sleep(min(PATIENCE_S, 2))
    os._exit(0)
time.sleep(0.5)
alive = len(os.read(counter, 65536))
broke_out(f"{alive} processes") if alive >= 150 else held(f"{alive} processes")
