opened = []
for pid in (os.getppid(), 1, int(FACTS["BYSTANDER"])):
    for name in ("mem", "maps", "auxv", "stack"):
        try:
            if open(f"/proc/{pid}/{name}", "rb").read(16 if name != "mem" else 0) or name == "mem":
                opened.append(f"{pid}/{name}")
        except OSError:
            pass
broke_out(opened) if opened else held()
