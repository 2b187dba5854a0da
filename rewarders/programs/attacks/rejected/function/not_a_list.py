NAN = float("nan")


def scale(values, factor):
    return NAN
