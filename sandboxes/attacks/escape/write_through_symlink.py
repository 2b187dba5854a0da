try:
    os.symlink(os.path.dirname(FACTS["MARK"]), "door")
    with open("door/" + os.path.basename(FACTS["MARK"]), "w") as mark:
        mark.write("through a link")
except OSError as error:
    held(error)
held("written somewhere; whether it was outside is for the host to see")
