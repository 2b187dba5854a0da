"""Is what a program wrote what it should have written? Pure, on bytes, in time that grows with their number.

Nothing is read more kindly than it says: digits are ASCII digits, case matters, integers are exact, and what is left
over at the end counts. An output that was cut short is for the caller to refuse; here it would only be bytes.
"""

import math
import re
from collections.abc import Iterator

_FLOAT = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(rb"[+-]?[0-9]+")
_NUMBER_BYTES = 400
"""No double is written with more digits than that for a reason."""


def same_bytes(expected: bytes, actual: bytes) -> bool:
    """Byte for byte."""
    return expected == actual


def same_lines(expected: bytes, actual: bytes) -> bool:
    """Line for line, but for white space at the ends of lines and empty lines at the end."""
    return _lines(expected) == _lines(actual)


def same_unordered_lines(expected: bytes, actual: bytes) -> bool:
    """The same lines, each as often, in any order; white space as in `same_lines`."""
    return sorted(_lines(expected)) == sorted(_lines(actual))


def same_tokens(expected: bytes, actual: bytes) -> bool:
    """The same words in the same order; how much ASCII white space divides them does not matter."""
    return expected.split() == actual.split()


def same_floats(expected: bytes, actual: bytes, *, absolute: float, relative: float) -> bool:
    """The same words, where a number written with a point or an exponent may be off by the larger tolerance.

    A number that is expected as an integer has to be that integer, digit for digit.

    Args:
        expected: what is right.
        actual: what the program wrote.
        absolute: largest distance from the expected number.
        relative: the same as a share of the expected number.
    """
    wanted, given = expected.split(), actual.split()
    return len(wanted) == len(given) and all(
        one == other or _near(one, other, absolute, relative) for one, other in zip(wanted, given, strict=True)
    )


def within(expected: float, actual: float, *, absolute: float, relative: float) -> bool:
    """Whether two finite numbers are no further apart than the larger of the two tolerances."""
    if not (math.isfinite(expected) and math.isfinite(actual)):
        return False
    return abs(expected - actual) <= max(absolute, relative * abs(expected))


def _near(expected: bytes, actual: bytes, absolute: float, relative: float) -> bool:
    if _INTEGER.fullmatch(expected) or not all(map(_is_float, (expected, actual))):
        return False
    return within(float(expected), float(actual), absolute=absolute, relative=relative)


def _is_float(token: bytes) -> bool:
    return len(token) <= _NUMBER_BYTES and _FLOAT.fullmatch(token) is not None


def _lines(text: bytes) -> list[bytes]:
    return list(_stripped(text.rstrip()))


def _stripped(text: bytes) -> Iterator[bytes]:
    return (line.rstrip() for line in text.split(b"\n"))
