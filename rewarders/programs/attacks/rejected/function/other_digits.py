def scale(values, factor):
    return ["".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in str(value * factor)) for value in values]
