try:
    broke_out(open("/etc/passwd").read(40))
except OSError as error:
    held(error)
