homes = {FACTS["SECRET_HOME"], os.path.expanduser("~"), "/root", "/home"}
for home in homes:
    for name in (
        ".ssh/id_canary",
        ".ssh/id_ed25519",
        ".ssh/id_rsa",
        ".aws/credentials",
        ".netrc",
        ".docker/config.json",
        ".pypirc",
    ):
        try:
            broke_out(open(os.path.join(home, name)).read(20))
        except OSError as error:
            last = error
held(last)
