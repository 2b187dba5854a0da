# Deeper than any path can say; whoever clears up must not recurse.
made = 0
try:
    for _ in range(20000):
        os.mkdir("d")
        os.chdir("d")
        made += 1
except OSError:
    pass
broke_out(f"{made} levels") if made >= 15000 else held(f"{made} levels")
