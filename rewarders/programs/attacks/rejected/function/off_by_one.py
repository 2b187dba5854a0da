def scale(values, factor):
    return [value * factor + (abs(value * factor) > 10**9) for value in values]
