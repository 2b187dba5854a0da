# The folder that the files are fetched from becomes a link to another one.
here = os.getcwd()
for place in ("/etc", os.path.dirname(FACTS["SECRET_FILE"]), "/proc/1", "/usr/bin"):
    try:
        if not os.path.islink(here):
            os.rename(here, here + "-moved")
        else:
            os.unlink(here)
        os.symlink(place, here)
    except OSError:
        pass
held("asked for; whether it came is for the host to see")
