import hashlib
import threading

end = time.monotonic() + PATIENCE_S


def spin():
    while time.monotonic() < end:
        hashlib.sha256(bytes(1 << 20)).digest()  # lets go of the interpreter's lock


for _ in range(3):
    threading.Thread(target=spin, daemon=True).start()
spin()
outlived()
