for descriptor in range(64):
    try:
        above = os.open("../../../..", os.O_RDONLY, dir_fd=descriptor)
        broke_out(f"descriptor {descriptor} is a folder: {os.listdir(above)[:5]}")
    except OSError as error:
        last = error
held(last)
