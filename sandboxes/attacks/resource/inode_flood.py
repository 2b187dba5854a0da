made = 0
try:
    for index in range(20000):
        os.close(os.open(f"file-{index}", os.O_CREAT | os.O_WRONLY))
        made += 1
except OSError:
    pass
broke_out(f"{made} files") if made >= 15000 else held(f"{made} files")
