def scales(values, factor):
    return [value * factor for value in values]
