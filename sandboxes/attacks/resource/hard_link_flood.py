os.close(os.open("file", os.O_CREAT | os.O_WRONLY))
made = 0
try:
    for index in range(20000):
        os.link("file", f"{index}-" + "x" * 240)
        made += 1
except OSError:
    pass
broke_out(f"{made} names") if made >= 15000 else held(f"{made} names")
