try:
    with open(FACTS["MARK"], "w") as mark:
        mark.write("here")
except OSError as error:
    held(error)
held("written somewhere; whether it was outside is for the host to see")
