import signal

try:
    parent = os.getppid()
    os.kill(parent, signal.SIGSTOP)
    time.sleep(0.2)
    os.kill(parent, signal.SIGCONT)
    held("sent; whether the sandbox still answers is for the host to see") if parent <= 1 else broke_out(
        f"stopped {parent}"
    )
except OSError as error:
    held(error)
