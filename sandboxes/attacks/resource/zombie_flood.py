made = 0
for _ in range(1000):
    try:
        if os.fork() == 0:
            os._exit(0)
        made += 1
    except OSError:
        break
broke_out(f"{made} zombies") if made >= 500 else held(f"{made} zombies")
