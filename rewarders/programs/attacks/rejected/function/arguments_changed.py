# The lists it is given are made into what would be equal.
def scale(values, factor):
    values[:] = [0]
    return values
