"""Proof, by SymPy, that two expressions are the same. What cannot be proved is not equal.

SymPy sees only objects built here, node by node, from trees whose numbers have been bounded; it never sees
text. And it sees only pairs that already agree numerically, so wrong answers never get this far.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from math import comb
from typing import Any

from rewarders.maths.exact import bits, rational
from rewarders.maths.integrals import bound
from rewarders.maths.numeric import is_real_odd_root
from rewarders.maths.tree import Apply, Binder, Node, Number, Symbol, TooCostly, Unparsable, variables, walk

MAX_NODES = 400
MAX_INTEGER_BITS = 256
"""SymPy factors integers under roots."""

MAX_EXPONENT = 4_000
MAX_EXPANDED_TERMS = 3_000
MAX_SIMPLIFIED_NODES = 150
MAX_ALGEBRAIC_NODES = 40


def provably_equal(first: Node, second: Node) -> bool:
    """Whether the difference of two expressions can be simplified to zero.

    Raises:
        TooCostly: if they are larger than a proof can be expected to handle.
    """
    _check_size(first)
    _check_size(second)
    constant = not variables(first) | variables(second)
    try:
        difference = _build(first) - _build(second)
        return any(step(difference) == 0 for step in _steps(difference, constant=constant))
    except TooCostly:
        raise
    except _sympy_failures():
        return False


def _sympy_failures() -> tuple[type[Exception], ...]:
    """What SymPy raises on what it cannot handle. A policy can cause these, so they are no fault of ours."""
    from sympy.polys.polyerrors import BasePolynomialError

    failures = (
        ArithmeticError,
        AttributeError,
        LookupError,
        NotImplementedError,
        RecursionError,
        TypeError,
        ValueError,
    )
    return (*failures, BasePolynomialError)


def _check_size(node: Node) -> None:
    nodes = list(islice(walk(node), MAX_NODES + 1))
    if len(nodes) > MAX_NODES:
        raise TooCostly(f"over {MAX_NODES} parts")
    if any(isinstance(part, Number) and bits(part.value) > MAX_INTEGER_BITS for part in nodes):
        raise TooCostly(f"a number of over {MAX_INTEGER_BITS} bits among symbols")
    powers = (part for part in nodes if isinstance(part, Apply) and part.head == "pow")
    exponents = (rational(power.args[1]) or Fraction(0) for power in powers)
    if any(abs(exponent) > MAX_EXPONENT for exponent in exponents):
        raise TooCostly(f"an exponent of over {MAX_EXPONENT} among symbols")


def _steps(difference: Any, *, constant: bool) -> Iterator[Callable[[Any], Any]]:
    """Ways to see a zero, cheapest first."""
    import sympy

    yield lambda zero: zero
    size = sum(1 for _ in sympy.preorder_traversal(difference))
    if (
        comb(_largest_power(difference) + len(difference.free_symbols), len(difference.free_symbols))
        <= MAX_EXPANDED_TERMS
    ):
        yield sympy.expand
    if size > MAX_SIMPLIFIED_NODES:
        raise TooCostly(f"a difference of {size} parts")
    if difference.has(sympy.factorial, sympy.binomial):
        yield lambda zero: sympy.combsimp(zero)
    if any(not power.exp.is_integer for power in difference.atoms(sympy.Pow)):
        yield _for_positive_names
    if constant:
        yield sympy.sqrtdenest
        yield _algebraically
    yield sympy.simplify
    if difference.has(*_periodic_functions()):
        yield lambda zero: sympy.expand(zero.rewrite(sympy.exp), complex=False).simplify()


def _periodic_functions() -> tuple[Any, ...]:
    from sympy.functions.elementary.hyperbolic import HyperbolicFunction
    from sympy.functions.elementary.trigonometric import TrigonometricFunction

    return TrigonometricFunction, HyperbolicFunction


def _for_positive_names(difference: Any) -> Any:
    """Roots taken apart as if all variables were positive: only pairs get here that agree at negative places too."""
    import sympy

    positive = {name: sympy.Symbol(name.name, positive=True) for name in difference.free_symbols}
    return sympy.powsimp(sympy.expand_power_base(sympy.together(difference.subs(positive))))


def _largest_power(expression: Any) -> int:
    import sympy

    exponents = [power.exp for power in expression.atoms(sympy.Pow) if power.exp.is_Integer]
    return max([1, *(abs(int(exponent)) for exponent in exponents)])


def _algebraically(difference: Any) -> Any:
    """Zero if the minimal polynomial of an algebraic number says so, otherwise the number as it came."""
    import sympy

    nodes = sum(1 for _ in sympy.preorder_traversal(difference))
    if nodes > MAX_ALGEBRAIC_NODES or not difference.is_algebraic:
        return difference
    unknown = sympy.Dummy()
    return 0 if sympy.minimal_polynomial(difference, unknown) == unknown else difference


def _build(node: Node) -> Any:
    import sympy

    if isinstance(node, Number):
        return sympy.Rational(node.value.numerator, node.value.denominator)
    if isinstance(node, Symbol):
        constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo}
        return constants[node.name] if node.name in constants else sympy.Symbol(node.name, real=True)
    if isinstance(node, Apply):
        return _operation(node)([_build(arg) for arg in node.args])
    if isinstance(node, Binder):
        return bound(node, _build(node.body), [_build(end) for end in node.ends])
    raise Unparsable("only expressions can be proved equal")


def _operation(node: Apply) -> Callable[[list[Any]], Any]:
    import sympy

    operations: dict[str, Callable[[list[Any]], Any]] = {
        "add": lambda args: sympy.Add(*args),
        "mul": lambda args: sympy.Mul(*args),
        "call": lambda args: sympy.Mul(*args),
        "div": lambda args: args[0] / args[1],
        "neg": lambda args: -args[0],
        "abs": lambda args: sympy.Abs(args[0]),
        "pow": lambda args: sympy.Pow(*args),
        "logarithm": lambda args: sympy.log(args[0]) / sympy.log(args[1]),
        "max": lambda args: sympy.Max(*args),
        "min": lambda args: sympy.Min(*args),
        "mod": lambda args: sympy.Mod(*args),
        "ceil": lambda args: sympy.ceiling(args[0]),
        "root": lambda args: sympy.real_root(*args) if is_real_odd_root(node) else sympy.root(*args),
    }
    return operations.get(node.head) or (lambda args: getattr(sympy, node.head)(*args))
