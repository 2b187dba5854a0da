def scale(values, factor):
    return [[]] * 20_000_000
