try:
    os.link(FACTS["SECRET_FILE"], "stolen")
    broke_out(open("stolen").read())
except OSError as error:
    held(error)
