try:
    broke_out(open(FACTS["SECRET_FILE"]).read())
except OSError as error:
    held(error)
