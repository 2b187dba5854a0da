try:
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("-1000")
    broke_out("never killed for want of memory")
except OSError as error:
    held(error)
