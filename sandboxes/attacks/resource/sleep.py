end = time.monotonic() + PATIENCE_S
while time.monotonic() < end:
    time.sleep(0.05)
outlived()
