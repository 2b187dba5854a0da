def scale(values, factor):
    raise StopIteration([value * factor for value in values])
