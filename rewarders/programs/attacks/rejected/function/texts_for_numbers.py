def scale(values, factor):
    return [str(value * factor) for value in values]
