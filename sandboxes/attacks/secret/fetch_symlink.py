os.symlink(FACTS["SECRET_FILE"], "out")
os.symlink("/etc", "folder")
held("asked for; whether it came is for the host to see")
