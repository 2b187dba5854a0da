try:
    broke_out(open("../" * 40 + FACTS["SECRET_FILE"].lstrip("/")).read())
except OSError as error:
    held(error)
