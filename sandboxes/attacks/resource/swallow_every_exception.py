end = time.monotonic() + PATIENCE_S
while True:
    try:
        while time.monotonic() < end:
            pass
        outlived()
    except BaseException:
        continue
