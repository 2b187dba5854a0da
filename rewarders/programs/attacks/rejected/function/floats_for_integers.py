def scale(values, factor):
    return [float(value * factor) for value in values]
