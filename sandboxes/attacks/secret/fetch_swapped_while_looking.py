# A process that outlives the program swaps a file for a link as fast as it can.
os.mkdir("folder")
if os.fork() == 0:
    os.setsid()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            with open("plain", "w") as file:
                file.write("plain")
            os.rename("plain", "out")
            os.symlink(FACTS["SECRET_FILE"], "link")
            os.rename("link", "out")
        except OSError:
            pass
    os._exit(0)
time.sleep(0.05)
held("asked for; whether it came is for the host to see")
