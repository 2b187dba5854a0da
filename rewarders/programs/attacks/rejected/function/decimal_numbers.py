from decimal import Decimal


def scale(values, factor):
    return [Decimal(value * factor) for value in values]
