import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
end = time.monotonic() + PATIENCE_S
while time.monotonic() < end:
    pass
outlived()
