def scale(values, factor):
    raise BaseExceptionGroup("several", [SystemExit(0), KeyboardInterrupt()])
