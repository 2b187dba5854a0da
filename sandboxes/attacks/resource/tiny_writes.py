# A reader woken for every byte has no time for anybody else.
end = time.monotonic() + PATIENCE_S
while time.monotonic() < end:
    os.write(1, b"x")
os.write(1, b"\n")
outlived()
