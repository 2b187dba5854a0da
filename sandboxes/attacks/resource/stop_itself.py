import signal

if os.fork() == 0:
    time.sleep(PATIENCE_S)
    os.kill(os.getppid(), signal.SIGCONT)
    os._exit(0)
os.kill(os.getpid(), signal.SIGSTOP)
outlived()
