def scale(values, factor):
    return [complex(value * factor) for value in values]
