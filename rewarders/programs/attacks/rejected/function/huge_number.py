def scale(values, factor):
    return [1 << 20_000_000]
