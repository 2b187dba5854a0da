os.mkdir("jail")
held(refused("chroot", b"jail"))
