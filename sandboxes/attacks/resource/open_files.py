opened = 0
try:
    for _ in range(5000):
        os.dup(0)
        opened += 1
except OSError:
    pass
broke_out(f"{opened} descriptors") if opened >= 2000 else held(f"{opened} descriptors")
