seen = [f"{name}={value}" for name, value in os.environ.items()]
for pid in ["self", "1", os.getppid(), FACTS["BYSTANDER"], *processes()]:
    try:
        seen += open(f"/proc/{pid}/environ", "rb").read().decode("utf-8", "replace").split("\0")
    except OSError:
        pass
print("\n".join(seen))
held("printed; whether any of it is ours is for the host to see")
