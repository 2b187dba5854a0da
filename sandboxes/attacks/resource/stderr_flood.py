block = b"x" * 65536
for _ in range(1600):
    os.write(2, block)
broke_out("100 MiB written")
