children = []
for _ in range(300):
    try:
        children.append(os.posix_spawn("/bin/sleep", ["sleep", str(min(PATIENCE_S, 2))], {}))
    except OSError:
        break
for child in children:
    os.kill(child, 9)
broke_out(f"{len(children)} processes") if len(children) >= 150 else held(f"{len(children)} processes")
