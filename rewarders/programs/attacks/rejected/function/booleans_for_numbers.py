def scale(values, factor):
    return [bool(value * factor) for value in values]
