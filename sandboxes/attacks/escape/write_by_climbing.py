try:
    with open("../" * 40 + FACTS["MARK"].lstrip("/"), "w") as mark:
        mark.write("climbed")
except OSError as error:
    held(error)
held("written somewhere; whether it was outside is for the host to see")
