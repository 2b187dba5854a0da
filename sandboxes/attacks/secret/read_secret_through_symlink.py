os.symlink(FACTS["SECRET_FILE"], "innocent.txt")
try:
    broke_out(open("innocent.txt").read())
except OSError as error:
    held(error)
