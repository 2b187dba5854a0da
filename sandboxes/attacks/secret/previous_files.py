places = [".", "..", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock", "/run/user", os.path.expanduser("~")]
paths = [os.path.join(place, "assay-left-behind") for place in places]
found = []
for path in paths:
    try:
        if FACTS["STAGE"] == "plant":
            with open(path, "w") as file:
                file.write(FACTS["TOKEN"])
        else:
            found.append(open(path).read())
            os.unlink(path)
    except OSError:
        pass
broke_out(found) if found else held()
