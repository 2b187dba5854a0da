"""Sums, products, integrals, limits and derivatives of what SymPy can be trusted to finish quickly.

Its general algorithms may run for hours on twenty characters, so that only plain forms get there; the rest is refused.
"""

from collections.abc import Callable
from math import comb, prod
from typing import Any

from rewarders.maths.tree import Apply, Binder, Symbol, TooCostly, Unparsable, is_function_call, variables, walk

MAX_EXPANDED_TERMS = 3_000
MAX_PARTS = 40
_MAX_DEGREE = 24
_MAX_TERMS = 200
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
        Unparsable: a derivative of something that may or may not depend on its variable.
    """
    import sympy

    if node.head == "derivative":
        _check_dependence(node)

    name = sympy.Symbol(node.name, real=True)
    _check_plain(body)
    for end in ends:
        _check_plain(end)
    return _VALUES[node.head](body, name, ends)


def _check_dependence(node: Binder) -> None:
    r"""Nobody knows what `\frac{d}{dx} y` is, nor whether `y(x)` is a product there."""
    names = variables(node.body)
    if names and node.name not in names:
        raise Unparsable("a derivative of what does not name its variable")
    for part in walk(node.body):
        match part:
            case Apply("call", (Symbol(name), Symbol(place))) if place == node.name != name:
                if not is_function_call(part):
                    raise Unparsable("a derivative of a function, or of a product")


def _check_plain(body: Any) -> None:
    import sympy

    if sum(1 for _ in sympy.preorder_traversal(body)) > MAX_PARTS:
        raise TooCostly(f"over {MAX_PARTS} parts under an operator")
    if any(power.exp.is_number and abs(power.exp) > MAX_POWER for power in body.atoms(sympy.Pow)):
        raise TooCostly("a large power under an operator")
    if degree_of(body) > _MAX_DEGREE or expanded_terms(body) > _MAX_TERMS:
        raise TooCostly("a polynomial of high degree under an operator")
    if _depth(body) > _DEEPEST_FUNCTIONS:
        raise TooCostly("functions of functions under an operator")


def expanded_terms(expression: Any) -> int:
    """At most as many terms are written out when it is expanded; what is above the bound stands for any number."""
    inside = [expanded_terms(arg) for arg in expression.args]
    if expression.is_Add:
        return sum(inside)
    if expression.is_Mul:
        return min(prod(inside), MAX_EXPANDED_TERMS + 1)
    if expression.is_Pow and expression.exp.is_Integer and inside[0] > 1:
        power, terms = min(abs(int(expression.exp)), MAX_EXPANDED_TERMS), inside[0]
        return min(comb(power + terms - 1, min(power, terms - 1)), MAX_EXPANDED_TERMS + 1)
    return max([1, *inside]) if max([1, *inside]) > MAX_EXPANDED_TERMS else 1


def degree_of(expression: Any) -> int:
    """Of the polynomials in it, denominators included, at most; a name to a power counts once."""
    inside = [degree_of(arg) for arg in expression.args]
    if expression.is_Mul:
        return sum(inside)
    if expression.is_Pow and expression.exp.is_Integer and not expression.base.is_Atom:
        return abs(int(expression.exp)) * inside[0]
    return max([0 if expression.is_Rational else 1, *inside])


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
    if sum(_has_other_names(term, name) for term in terms) > 1:
        raise TooCostly("an integral of several functions with unknown coefficients")
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


def _has_other_names(term: Any, name: Any) -> bool:
    """Whether the coefficients inside a function are not all numbers."""
    _, factor = term.as_independent(name, as_Add=False)
    return bool(factor.free_symbols - {name})


def _is_linear(inside: Any, name: Any) -> bool:
    return bool(inside.is_polynomial(name)) and inside.as_poly(name).degree() <= 1


def _series(body: Any, name: Any, ends: list[Any]) -> Any:
    import sympy

    if not body.is_polynomial(name) and not _is_geometric(body, name):
        raise TooCostly("a sum that is neither of powers nor geometric")
    if not all(end.is_finite for end in ends) and not _converges(body, name, ends):
        raise TooCostly("an infinite sum that is not known to have a value")
    return sympy.summation(body, (name, *ends))


def _is_geometric(body: Any, name: Any) -> bool:
    _, factor = body.as_independent(name, as_Add=False)
    return bool(factor.is_Pow and not factor.base.has(name) and _is_linear(factor.exp, name))


def _converges(body: Any, name: Any, ends: list[Any]) -> bool:
    """Whether it is a geometric series from a number on, whose ratio is a number below one."""
    import sympy

    if ends[0].is_finite is False or ends[1] != sympy.oo:
        return all(end.is_finite is not False for end in ends)
    if not _is_geometric(body, name):
        return False
    _, factor = body.as_independent(name, as_Add=False)
    ratio = factor.base ** factor.exp.coeff(name)
    return bool(ratio.is_number) and abs(sympy.N(ratio, 30)) < 1


def _product(body: Any, name: Any, ends: list[Any]) -> Any:
    import sympy

    if not body.is_polynomial(name) or (body.has(name) and body.as_poly(name).degree() > 1):
        raise TooCostly("a product of more than linear factors")
    if any(end.is_finite is False for end in ends):
        raise TooCostly("an infinite product")
    return sympy.product(body, (name, *ends))


def _limit(body: Any, name: Any, ends: list[Any]) -> Any:
    import sympy

    if body.has(sympy.factorial, sympy.binomial, sympy.core.function.AppliedUndef):
        raise TooCostly("a limit of something that is not elementary")
    powers = [power for power in body.atoms(sympy.Pow) if power.base.has(name) and power.exp.has(name)]
    if powers and not (body.is_Pow and len(powers) == 1):
        raise TooCostly("a limit with a variable base under a variable exponent")
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
