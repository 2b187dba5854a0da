def scale(values, factor):
    while True:
        pass
