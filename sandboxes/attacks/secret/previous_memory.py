# The first program holds a word in every way a process can; the second looks for it in all that it can read of itself.
import gc
import re

if FACTS["STAGE"] == "plant":
    kept = [FACTS["TOKEN"] * 50 for _ in range(2000)]
    held(len(kept))
pattern = re.compile((FACTS["TOKEN_STARTS"] + "[0-9a-f]{16}").encode())
found = {item for item in gc.get_objects() if isinstance(item, (str, bytes)) and FACTS["TOKEN_STARTS"] in str(item)}
try:
    memory = open("/proc/self/mem", "rb", 0)
    for line in open("/proc/self/maps"):
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if "r" not in line.split()[1] or "[v" in line or last - first > 1 << 26:
            continue
        try:
            memory.seek(first)
            found.update(pattern.findall(memory.read(last - first)))
        except OSError:
            pass
except OSError:
    pass
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for size in [1 << power for power in range(6, 22)] * 4:
    found.update(pattern.findall(ctypes.string_at(libc.malloc(ctypes.c_size_t(size)), size)))
print(found)
held("whether any of it is the first program's is for the host to see")
