# An exception's class is what crosses as itself.
class Equal(Exception):
    pass


def scale(values, factor):
    return SystemExit if factor % 2 else Equal
