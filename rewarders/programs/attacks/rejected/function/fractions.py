from fractions import Fraction


def scale(values, factor):
    return [Fraction(value * factor) for value in values]
