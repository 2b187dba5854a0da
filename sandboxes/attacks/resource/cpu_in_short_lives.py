# No child lives long enough to reach a limit of its own.
end = time.monotonic() + PATIENCE_S
while time.monotonic() < end:
    try:
        child = os.fork()
    except OSError:
        continue
    if child == 0:
        sum(range(200_000))
        os._exit(0)
    os.waitpid(child, 0)
outlived()
