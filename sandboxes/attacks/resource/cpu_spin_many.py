end = time.monotonic() + PATIENCE_S
for _ in range(3):
    try:
        os.fork()
    except OSError:
        break
while time.monotonic() < end:
    pass
outlived()
