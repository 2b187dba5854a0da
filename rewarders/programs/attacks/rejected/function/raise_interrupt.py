def scale(values, factor):
    raise KeyboardInterrupt
