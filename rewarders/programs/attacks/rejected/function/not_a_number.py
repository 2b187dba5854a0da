def scale(values, factor):
    return [float("nan")] * len(values)
