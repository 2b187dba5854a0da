def scale(values, factor):
    return [int(float(value) * factor) + (abs(value) > 10**6) for value in values]
