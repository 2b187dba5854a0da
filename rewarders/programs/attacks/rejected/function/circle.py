def scale(values, factor):
    circle = []
    circle.append(circle)
    return circle
