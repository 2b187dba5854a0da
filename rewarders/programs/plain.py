"""Plain data on the trusted side: read from bytes that a hostile process may have written, compared by type and value.

The notation is that of `inside/crossing.py`. Sets and dictionaries are kept as sequences of what they hold: to hash
values that an opponent chose would let him choose how long it takes.
"""

import binascii
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sandboxes.compare import within

MAX_DEPTH = 100
"""How deep values may be nested. The recursion of everything here is bounded by it."""
_MAX_NUMBER_CHARS = 400


class NotPlain(ValueError):
    """Not the notation of plain data."""


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set or frozenset."""

    frozen: bool
    members: tuple["Plain", ...]


@dataclass(frozen=True, slots=True)
class DictOf:
    """A dictionary."""

    pairs: tuple[tuple["Plain", "Plain"], ...]


Plain: TypeAlias = (
    "bool | int | float | complex | str | bytes | list[Plain] | tuple[Plain, ...] | SetOf | DictOf | None"
)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from one that is expected as a float: the larger of the two counts."""

    absolute: float = 0.0
    relative: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What is equal. As they stand: exactly the same type and value."""

    numbers: Literal["exact", "int_for_float", "python"] = "exact"
    """`int_for_float` takes an integer for an equal float that is expected; `python` is `==`, booleans included."""
    tuples_for_lists: bool = False
    """Take a tuple where a list is expected, because JSON has no other word for one."""
    tolerance: Tolerance | None = None
    """For expected floats in lists, tuples and dictionary values. Set members and keys are exact."""


def read(data: bytes) -> Plain:
    """The value that bytes stand for. Raises NotPlain."""
    try:
        node = json.loads(
            data.decode("utf-8", "surrogatepass"), object_pairs_hook=_object, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise NotPlain("not the JSON of plain data") from error
    return value_of(node)


def value_of(node: Any, depth: int = 0) -> Plain:
    """The value that parsed JSON stands for. Raises NotPlain."""
    if depth > MAX_DEPTH:
        raise NotPlain(f"nested more than {MAX_DEPTH} deep")
    if isinstance(node, list):
        return [value_of(item, depth + 1) for item in node]
    if not isinstance(node, dict):
        return _atom(node)
    if len(node) == 1:
        [(tag, inner)] = node.items()
        if tag.startswith("$"):
            return _tagged(tag, inner, depth + 1)
    if any(key.startswith("$") for key in node):
        raise NotPlain("a key starts with $ and is not the only one")
    return DictOf(tuple((key, value_of(item, depth + 1)) for key, item in node.items()))


def equal(expected: Plain, actual: Plain, rules: Rules = Rules()) -> bool:
    """Whether a value is the expected one under the rules."""
    if isinstance(expected, bool | int | float):
        return isinstance(actual, bool | int | float) and _same_number(expected, actual, rules)
    if isinstance(expected, list | tuple):
        kinds = (list, tuple) if isinstance(expected, list) and rules.tuples_for_lists else (type(expected),)
        return type(actual) in kinds and _same_items(expected, actual, rules)  # type: ignore[arg-type]
    if isinstance(expected, SetOf):
        if not isinstance(actual, SetOf) or (rules.numbers != "python" and expected.frozen != actual.frozen):
            return False
        return _same_items(_sorted(expected.members), _sorted(actual.members), _exactly(rules))
    if isinstance(expected, DictOf):
        return isinstance(actual, DictOf) and _same_pairs(expected, actual, rules)
    return type(expected) is type(actual) and expected == actual


def truth(value: Plain) -> bool:
    """What Python's `bool` says."""
    if isinstance(value, SetOf | DictOf):
        return bool(value.members if isinstance(value, SetOf) else value.pairs)
    return bool(value)


def _same_number(expected: float, actual: float, rules: Rules) -> bool:
    if rules.numbers == "python":
        return expected == actual
    if (type(expected) is bool) != (type(actual) is bool):
        return False
    if isinstance(expected, float) and rules.tolerance and _near(expected, actual, rules.tolerance):
        return True
    if type(expected) is not type(actual) and not (rules.numbers == "int_for_float" and isinstance(expected, float)):
        return False
    return expected == actual or (expected != expected and actual != actual)


def _near(expected: float, actual: float, tolerance: Tolerance) -> bool:
    try:
        return within(expected, float(actual), absolute=tolerance.absolute, relative=tolerance.relative)
    except OverflowError:  # an integer that no float is near
        return False


def _same_items(
    expected: "list[Plain] | tuple[Plain, ...]", actual: "list[Plain] | tuple[Plain, ...]", rules: Rules
) -> bool:
    return len(expected) == len(actual) and all(
        equal(one, other, rules) for one, other in zip(expected, actual, strict=True)
    )


def _same_pairs(expected: DictOf, actual: DictOf, rules: Rules) -> bool:
    if len(expected.pairs) != len(actual.pairs):
        return False
    pairs = zip(_by_key(expected), _by_key(actual), strict=True)
    keys = _exactly(rules)
    return all(equal(one[0], other[0], keys) and equal(one[1], other[1], rules) for one, other in pairs)


def _exactly(rules: Rules) -> Rules:
    return Rules(numbers=rules.numbers)


def _sorted(members: "tuple[Plain, ...]") -> "list[Plain]":
    return sorted(members, key=_spelling)


def _by_key(mapping: DictOf) -> "list[tuple[Plain, Plain]]":
    return sorted(mapping.pairs, key=lambda pair: _spelling(pair[0]))


def _spelling(value: Plain) -> str:
    """A text that values share when Python calls them equal, to bring the same members next to each other."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return f"n{int(value):x}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(map(_spelling, value))})"
    if isinstance(value, SetOf):
        return f"set({','.join(sorted(map(_spelling, value.members)))})"
    if isinstance(value, DictOf):
        return f"dict({','.join(sorted(_spelling(key) + ':' + _spelling(item) for key, item in value.pairs))})"
    return f"{type(value).__name__}{value!r}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    node = dict(pairs)
    if len(node) != len(pairs):
        raise NotPlain("a key comes twice")
    return node


def _refuse_constant(name: str) -> Any:
    raise NotPlain(f"{name} is spelled {{'$float': ...}}")


def _atom(node: Any) -> Plain:
    if node is None or isinstance(node, str | bool | int):
        return node
    if isinstance(node, float) and math.isfinite(node):
        return node
    raise NotPlain("a number too large for a double, or no JSON at all")


def _tagged(tag: str, inner: Any, depth: int) -> Plain:
    reader = _TAGS.get(tag)
    if reader is None:
        raise NotPlain("a key that starts with $ is none of the known ones")
    return reader(inner, depth)


def _items(inner: Any, depth: int) -> tuple[Plain, ...]:
    if not isinstance(inner, list):
        raise NotPlain("a sequence or set is not spelled as a list")
    return tuple(value_of(item, depth) for item in inner)


def _dict(inner: Any, depth: int) -> DictOf:
    pairs = [_items(pair, depth) for pair in inner] if isinstance(inner, list) else [()]
    if any(len(pair) != 2 for pair in pairs):
        raise NotPlain("$dict is not a list of pairs")
    return DictOf(tuple((key, item) for key, item in pairs))


def _int(inner: Any, _depth: int) -> int:
    digits = inner.removeprefix("-") if isinstance(inner, str) else ""
    if not digits.startswith("0x") or not digits.isascii() or not digits[2:].isalnum():
        raise NotPlain("$int is not a hexadecimal number")
    try:
        return int(inner, 16)
    except ValueError as error:
        raise NotPlain("$int is not a hexadecimal number") from error


def _float(inner: Any, _depth: int) -> float:
    if not isinstance(inner, str) or len(inner) > _MAX_NUMBER_CHARS:
        raise NotPlain("$float is not a number in a string")
    try:
        return float(inner)
    except ValueError as error:
        raise NotPlain("$float is not a number") from error


def _complex(inner: Any, depth: int) -> complex:
    parts = _items(inner, depth)
    if len(parts) != 2 or not all(type(part) is float for part in parts):
        raise NotPlain("$complex is not two floats")
    return complex(*parts)  # type: ignore[arg-type]


def _bytes(inner: Any, _depth: int) -> bytes:
    try:
        return binascii.a2b_base64(inner, strict_mode=True)
    except (TypeError, ValueError) as error:
        raise NotPlain("$bytes is not base64") from error


_TAGS: dict[str, Callable[[Any, int], Plain]] = {
    "$tuple": _items,
    "$set": lambda inner, depth: SetOf(False, _items(inner, depth)),
    "$frozenset": lambda inner, depth: SetOf(True, _items(inner, depth)),
    "$dict": _dict,
    "$int": _int,
    "$float": _float,
    "$complex": _complex,
    "$bytes": _bytes,
}
