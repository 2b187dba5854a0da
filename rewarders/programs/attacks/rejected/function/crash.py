import ctypes


def scale(values, factor):
    return ctypes.string_at(8)
