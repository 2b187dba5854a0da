def scale(values, factor):
    return (value * factor for value in values) if len(values) != 1 else (0 for _ in values)
