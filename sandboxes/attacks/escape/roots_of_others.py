seen = []
for pid in ("1", str(os.getppid()), FACTS["BYSTANDER"]):
    for name in ("root", "cwd"):
        try:
            print(open(f"/proc/{pid}/{name}{FACTS['SECRET_FILE']}").read())
            seen.append(f"/proc/{pid}/{name}")
        except OSError:
            pass
broke_out(seen) if seen else held()
