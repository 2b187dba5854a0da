import threading

threading.stack_size(65536)
started = 0
try:
    for _ in range(400):
        threading.Thread(target=time.sleep, args=(min(PATIENCE_S, 2),), daemon=True).start()
        started += 1
except (RuntimeError, MemoryError):
    pass
broke_out(f"{started} threads") if started >= 200 else held(f"{started} threads")
