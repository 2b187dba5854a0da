"""Sums, products, integrals, limits and derivatives of what SymPy can be trusted to finish quickly.

Its general algorithms may run for hours on twenty characters, so that only plain forms get there; the rest is refused.
"""

from collections.abc import Callable
from typing import Any

from rewarders.maths.tree import Binder, TooCostly

MAX_PARTS = 40
MAX_POWER = 12
_DEEPEST_FUNCTIONS = 2


def bound(node: Binder, body: Any, ends: list[Any]) -> Any:
    """The value of an operator over a variable, as SymPy's.

    Args:
        node: which operator, and over what.
        body: its body, as SymPy's.
        ends: its ends, as SymPy's.

    Raises:
        TooCostly: it is not of a form that is known to be computed quickly.
    """
    import sympy

    name = sympy.Symbol(node.name, real=True)
    _check_plain(body)
    for end in ends:
        _check_plain(end)
    return _VALUES[node.head](body, name, ends)


def _check_plain(body: Any) -> None:
    import sympy

    if sum(1 for _ in sympy.preorder_traversal(body)) > MAX_PARTS:
        raise TooCostly(f"over {MAX_PARTS} parts under an operator")
    if any(power.exp.is_number and abs(power.exp) > MAX_POWER for power in body.atoms(sympy.Pow)):
        raise TooCostly("a large power under an operator")
    if _depth(body) > _DEEPEST_FUNCTIONS:
        raise TooCostly("functions of functions under an operator")


def _depth(body: Any) -> int:
    """How many functions and powers with a variable exponent are nested."""
    inside = max(map(_depth, body.args), default=0)
    return inside + (body.is_Function or (body.is_Pow and not body.exp.is_number))


def _integral(body: Any, name: Any, ends: list[Any]) -> Any:
    """Term by term, where each term is of an elementary kind."""
    import sympy

    terms = sympy.Add.make_args(sympy.expand(body))
    if not all(_is_elementary(term, name) for term in terms):
        raise TooCostly("an integral that is not elementary")
    return sympy.Add(*(sympy.integrate(term, (name, *ends) if ends else name) for term in terms))


def _is_elementary(term: Any, name: Any) -> bool:
    """A constant times a power of the variable, or times one of exp, sin, cos of something linear in it."""
    _, factor = term.as_independent(name, as_Add=False)
    if not factor.has(name) or factor == name:
        return True
    if factor.is_Pow and factor.base == name:
        return bool(factor.exp.is_number)
    inside = factor.args[0] if factor.is_Function else getattr(factor, "exp", None)
    known = factor.is_Function and factor.func.__name__ in ("exp", "sin", "cos", "log")
    is_power_of_constant = factor.is_Pow and not factor.base.has(name)
    return (known or is_power_of_constant) and inside is not None and _is_linear(inside, name)


def _is_linear(inside: Any, name: Any) -> bool:
    return bool(inside.is_polynomial(name)) and inside.as_poly(name).degree() <= 1


def _series(body: Any, name: Any, ends: list[Any]) -> Any:
    import sympy

    if not body.is_polynomial(name) and not _is_geometric(body, name):
        raise TooCostly("a sum that is neither of powers nor geometric")
    return sympy.summation(body, (name, *ends))


def _is_geometric(body: Any, name: Any) -> bool:
    _, factor = body.as_independent(name, as_Add=False)
    return bool(factor.is_Pow and not factor.base.has(name) and _is_linear(factor.exp, name))


def _product(body: Any, name: Any, ends: list[Any]) -> Any:
    import sympy

    if not body.is_polynomial(name) or (body.has(name) and body.as_poly(name).degree() > 1):
        raise TooCostly("a product of more than linear factors")
    return sympy.product(body, (name, *ends))


def _limit(body: Any, name: Any, ends: list[Any]) -> Any:
    import sympy

    return sympy.limit(body, name, ends[0], dir="+-" if ends[0].is_finite else "+")


def _derivative(body: Any, name: Any, ends: list[Any]) -> Any:
    import sympy

    return sympy.diff(body, name)


_VALUES: dict[str, Callable[[Any, Any, list[Any]], Any]] = {
    "integral": _integral,
    "sum": _series,
    "product": _product,
    "limit": _limit,
    "derivative": _derivative,
}
