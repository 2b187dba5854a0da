end = time.monotonic() + PATIENCE_S
while time.monotonic() < end:
    pass
outlived()
