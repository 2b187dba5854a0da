# Whoever clears up must take its rights back first.
os.makedirs("locked/inner")
os.close(os.open("locked/inner/file", os.O_CREAT | os.O_WRONLY))
for path in ("locked/inner", "locked"):
    os.chmod(path, 0)
held("left for the host to clear up")
