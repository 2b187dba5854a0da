"""What a constant expression of a test stands for, without running it: bounded arithmetic on literals."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

_MAX_INT_BITS = 65_536
_MAX_ITEMS = 100_000
"""Of a value with everything in it; a string counts a character as one."""

_NAMED = {("math", name): getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")}
_BUILDERS: dict[str, Callable[..., Any]] = {
    "set": set, "frozenset": frozenset, "tuple": tuple, "list": list, "float": float, "complex": complex,
}  # fmt: skip
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert, ast.Not: operator.not_,
}  # fmt: skip
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
_NUMBERS = (bool, int, float, complex)
_SEQUENCES = (str, bytes, list, tuple)


class NotConstant(ValueError):
    """The expression says more than a constant, or a larger one than we compute."""


def evaluate(node: ast.expr) -> Any:
    """The value of an expression made of literals, displays, operators and a few constructors. Raises NotConstant."""
    try:
        value = _evaluate(node)
        _weight(value)
    except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
        raise NotConstant(type(node).__name__) from error
    return value


def _evaluate(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is not ...:
            return value
        case ast.UnaryOp(op=sign, operand=operand):
            return _UNARY[type(sign)](_evaluate(operand))
        case ast.BinOp(left=left, op=sign, right=right):
            return _binary(sign, _evaluate(left), _evaluate(right))
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return kind(map(_evaluate, items))
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_evaluate(key): _evaluate(value) for key, value in zip(keys, values, strict=True) if key}
        case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in _NAMED:
            return _NAMED[module, name]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _BUILDERS:
            return _BUILDERS[name](*map(_evaluate, arguments))
    raise NotConstant(type(node).__name__)


def _binary(sign: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS):
        _foresee(sign, left, right)
    elif isinstance(sign, ast.Mult) and isinstance(left, _SEQUENCES) != isinstance(right, _SEQUENCES):
        times, sequence = (left, right) if isinstance(left, int) else (right, left)
        if _weight(sequence) * max(0, times) > _MAX_ITEMS:
            raise NotConstant("a long repetition")
    elif not (isinstance(sign, ast.Add) and type(left) is type(right) and isinstance(left, _SEQUENCES)):
        raise NotConstant("an operation that is not arithmetic")
    return _BINARY[type(sign)](left, right)


def _foresee(sign: ast.operator, left: Any, right: Any) -> None:
    """Refuse an integer that would be too large, before it is computed."""
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    bits, other = left.bit_length(), right.bit_length()
    if isinstance(sign, ast.Pow | ast.LShift):
        # The exponent is looked at first: it may itself be too large to multiply with.
        expected = bits * right if isinstance(sign, ast.Pow) else bits + right
        bits = expected if other <= 32 else _MAX_INT_BITS + 1
    if bits + (other if isinstance(sign, ast.Mult) else 0) > _MAX_INT_BITS:
        raise NotConstant("a large number")


def _weight(value: Any) -> int:
    """How much a value holds in all. Raises NotConstant where that is too much."""
    weight = 1
    if isinstance(value, str | bytes):
        weight = len(value)
    elif isinstance(value, dict):
        weight = 1 + sum(_weight(key) + _weight(item) for key, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        weight = 1 + sum(map(_weight, value))
    if weight > _MAX_ITEMS:
        raise NotConstant("a large value")
    return weight
