def scale(values, factor):
    return [0]
