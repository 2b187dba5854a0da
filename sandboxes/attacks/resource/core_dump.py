import resource
import signal

if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
        broke_out("could leave a core file where the machine keeps them")
    except (OSError, ValueError):
        pass
os.kill(os.getpid(), signal.SIGABRT)
