block = b"x" * 65536
for _ in range(800):
    os.write(1, block)
    os.write(2, block)
os.write(1, b"\n")
broke_out("100 MiB written")
