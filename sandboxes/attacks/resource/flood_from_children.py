block = b"x" * 65536
for _ in range(4):
    if os.fork() == 0:
        for _ in range(400):
            os.write(2, block)
        os._exit(0)
for _ in range(4):
    os.wait()
broke_out("100 MiB written")
