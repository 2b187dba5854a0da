def scale(values, factor):
    raise GeneratorExit
