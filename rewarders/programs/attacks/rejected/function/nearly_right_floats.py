def scale(values, factor):
    return [value * factor + 1e-9 for value in values]
