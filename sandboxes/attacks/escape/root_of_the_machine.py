try:
    inside, outside, count = open("/proc/self/uid_map").read().split()
except OSError:
    inside, outside, count = "?", "?", "0"
if os.getuid() == 0 and (outside == "0" or count == "0"):
    broke_out(f"uid 0, map {inside} {outside} {count}")
held(f"uid {os.getuid()}, map {inside} {outside} {count}")
