def scale(values, factor):
    return {index: value * factor for index, value in enumerate(values)}
