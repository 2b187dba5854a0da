# Nothing to read from and nothing to wait for, but still there.
for descriptor in range(3):
    os.close(descriptor)
end = time.monotonic() + PATIENCE_S
while time.monotonic() < end:
    time.sleep(0.05)
os.open("/dev/null", os.O_RDWR)
os._exit(0)
