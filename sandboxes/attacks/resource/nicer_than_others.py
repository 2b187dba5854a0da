try:
    os.setpriority(os.PRIO_PROCESS, 0, -10)
    broke_out(os.getpriority(os.PRIO_PROCESS, 0))
except OSError as error:
    held(error)
