"""Proof, by SymPy, that two expressions are the same. What cannot be proved is not equal.

SymPy sees only objects built here, node by node, from trees whose numbers have been bounded; it never sees
text. And it sees only pairs that already agree numerically, so wrong answers never get this far.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from math import comb, lcm
from typing import Any

from rewarders.maths.exact import bits, rational
from rewarders.maths.integrals import MAX_EXPANDED_TERMS, bound, degree_of, expanded_terms
from rewarders.maths.numeric import is_real_odd_root
from rewarders.maths.tree import (
    Apply,
    Binder,
    Node,
    Number,
    Symbol,
    TooCostly,
    Unparsable,
    is_function_call,
    variables,
    walk,
)

MAX_NODES = 400
MAX_INTEGER_BITS = 256
"""SymPy factors integers under roots."""

MAX_EXPONENT = 4_000
MAX_EXPANDED_DEGREE = 500
MAX_SIMPLIFIED_NODES = 150
MAX_ALGEBRAIC_NODES = 40
MAX_ALGEBRAIC_DEGREE = 18
MAX_DEGREE = 64
"""Of sums to powers, when they are simplified."""

MAX_ROOTS = 8
"""Different ones in a number, when it is simplified."""

MAX_PERIODIC_FUNCTIONS = 5
"""Different ones, when they are simplified."""


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
        if constant and _is_square_less_itself(difference):
            return True
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
    if expanded_terms(difference) <= MAX_EXPANDED_TERMS and degree_of(difference) <= MAX_EXPANDED_DEGREE:
        yield sympy.expand
        if _is_plain_polynomial(difference):
            return  # expanded, it shows whether it is 0
    _check_simplifies(difference)
    if difference.has(sympy.factorial, sympy.binomial):
        yield lambda zero: sympy.combsimp(zero)
    if any(not power.exp.is_integer for power in difference.atoms(sympy.Pow)):
        yield _for_positive_names
    if constant:
        yield sympy.sqrtdenest
        yield _algebraically
    yield sympy.simplify
    if not constant and difference.has(*_periodic_functions()):
        yield lambda zero: sympy.expand(zero.rewrite(sympy.exp), complex=False).simplify()


def _is_plain_polynomial(difference: Any) -> bool:
    """Whether it is a polynomial whose coefficients are sums and products of rational numbers."""
    import sympy

    names = difference.free_symbols
    rational_alone = all(atom.is_Rational or atom in names for atom in difference.atoms())
    whole = all(power.exp.is_integer for power in difference.atoms(sympy.Pow))
    return bool(names) and rational_alone and whole and bool(difference.is_polynomial(*names))


def _check_simplifies(difference: Any) -> None:
    """Raises TooCostly for what SymPy may not simplify quickly."""
    import sympy

    size = sum(1 for _ in sympy.preorder_traversal(difference))
    if size > MAX_SIMPLIFIED_NODES:
        raise TooCostly(f"a difference of {size} parts")
    degree, names = degree_of(difference), len(difference.free_symbols)
    if degree > MAX_DEGREE or comb(degree + names, names) > MAX_EXPANDED_TERMS:
        raise TooCostly(f"a difference of degree {degree}")
    if not names and sum(not power.exp.is_Integer for power in difference.atoms(sympy.Pow)) > MAX_ROOTS:
        raise TooCostly(f"over {MAX_ROOTS} roots in a number")
    if len(difference.atoms(*_periodic_functions())) > MAX_PERIODIC_FUNCTIONS:
        raise TooCostly(f"over {MAX_PERIODIC_FUNCTIONS} periodic functions")


def _is_square_less_itself(difference: Any) -> bool:
    """Whether what is under a root is the square of all the rest, and the two have opposite signs: their sum is 0."""
    import sympy

    for root in difference.atoms(sympy.Pow):
        if root.exp != sympy.Rational(1, 2) or not root.base.is_Add:
            continue
        with_root: list[Any] = []
        rest: list[Any] = []
        for term in sympy.Add.make_args(difference):
            (with_root if term.has(root) else rest).append(term)
        factor = with_root[0] / root
        if len(with_root) > 1 or factor.has(root):
            continue
        others = sympy.Add(*rest)
        zero = others**2 - factor**2 * root.base
        if expanded_terms(zero) <= MAX_EXPANDED_TERMS and sympy.expand(zero) == 0:
            return bool(abs(sympy.N(difference)) < abs(sympy.N(others)))  # otherwise it is twice the others
    return False


def _periodic_functions() -> tuple[Any, ...]:
    from sympy.functions.elementary.hyperbolic import HyperbolicFunction
    from sympy.functions.elementary.trigonometric import TrigonometricFunction

    return TrigonometricFunction, HyperbolicFunction


def _for_positive_names(difference: Any) -> Any:
    """Roots taken apart as if all variables were positive: only pairs get here that agree at negative places too."""
    import sympy

    positive = {name: sympy.Symbol(name.name, positive=True) for name in difference.free_symbols}
    return sympy.powsimp(sympy.expand_power_base(sympy.together(difference.subs(positive))))


def _algebraically(difference: Any) -> Any:
    """Zero if the minimal polynomial of an algebraic number says so, otherwise the number as it came."""
    import sympy

    nodes = sum(1 for _ in sympy.preorder_traversal(difference))
    if nodes > MAX_ALGEBRAIC_NODES or not difference.is_algebraic:
        return difference
    if _algebraic_degree(difference) > MAX_ALGEBRAIC_DEGREE:
        return difference
    unknown = sympy.Dummy()
    return 0 if sympy.minimal_polynomial(difference, unknown) == unknown else difference


def _algebraic_degree(number: Any) -> int:
    """At most this many conjugates: by its roots, those of primes told apart, and by its angles."""
    import sympy

    degree = 1
    primes: set[int] = set()
    for power in number.atoms(sympy.Pow):
        if power.exp.is_Integer:
            continue
        if power.base.is_Rational and power.exp.q == 2:
            primes.update(sympy.primefactors(power.base.p), sympy.primefactors(power.base.q))
        else:
            degree *= int(power.exp.q)
    angles = [function.args[0] / sympy.pi for function in number.atoms(*_periodic_functions())]
    if not all(angle.is_Rational for angle in angles):
        return MAX_ALGEBRAIC_DEGREE + 1
    around = lcm(*(2 * int(angle.q) for angle in angles))
    return int(degree * 2 ** len(primes) * (sympy.totient(around) if angles else 1))


def _build(node: Node) -> Any:
    import sympy

    if isinstance(node, Number):
        return sympy.Rational(node.value.numerator, node.value.denominator)
    if isinstance(node, Symbol):
        constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo}
        return constants[node.name] if node.name in constants else sympy.Symbol(node.name, real=True)
    if is_function_call(node):
        return _function_value(node)
    if isinstance(node, Apply):
        return _operation(node)([_build(arg) for arg in node.args])
    if isinstance(node, Binder):
        return bound(node, _build(node.body), [_build(end) for end in node.ends])
    raise Unparsable("only expressions can be proved equal")


def _function_value(node: Node) -> Any:
    import sympy

    match node:
        case Apply("call", (Symbol(name), place)):
            return sympy.Function(name)(_build(place))
    raise Unparsable("no function of a name")


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
