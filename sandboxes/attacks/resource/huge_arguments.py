spawned = 0
for _ in range(20):
    try:
        child = os.posix_spawn("/bin/true", ["true", *["x" * 100_000] * 19], {})
        os.waitpid(child, 0)
        spawned += 1
    except OSError:
        break
held(f"{spawned} programs started")
