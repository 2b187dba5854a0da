# Each stays below the limit of one; together they hold far more than the run may. Those that were killed hold nothing.
(ready, done), (until, looked) = os.pipe(), os.pipe()
children = []
for number in range(8):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        os.close(looked)
        try:
            block = bytearray(150 << 20)
            block[::4096] = b"x" * len(block[::4096])
            os.write(done, bytes([number]))
        except MemoryError:
            pass
        os.read(until, 1)
        os._exit(0)
    children.append(child)
os.close(done)
time.sleep(1)
os.set_blocking(ready, False)
try:
    filled = set(os.read(ready, 16))
except BlockingIOError:
    filled = set()
holders = sum(os.waitpid(child, os.WNOHANG) == (0, 0) for number, child in enumerate(children) if number in filled)
broke_out(f"{holders * 150} MiB at once") if holders >= 4 else held(f"{holders * 150} MiB")
