held(refused("kcmp", os.getpid(), os.getppid() or 1, 1, 0, 0))
