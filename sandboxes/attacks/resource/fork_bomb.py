children = []
for _ in range(300):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(min(PATIENCE_S, 2))
        os._exit(0)
    children.append(child)
for child in children:
    os.kill(child, 9)
broke_out(f"{len(children)} processes") if len(children) >= 150 else held(f"{len(children)} processes")
