"""Equality for tests of untrusted code: decided here, on rebuilt plain data, and never kinder than its types.

A test file is compiled with its `==`, `!=`, `in` and `not in` turned into calls of `equal` and `contains`.
"""

import ast
import builtins
import unittest
from collections.abc import Callable, Iterable
from typing import Any

EQUAL, CONTAINS, COMPARE = "__assay_equal__", "__assay_contains__", "__assay_compare__"
_NUMBERS = (bool, int, float)
_SETS = (set, frozenset)

received: dict[int, Any] = {}
"""What came from the candidate, by identity; kept, so that nothing else takes its place in memory."""


def equal(one: Any, other: Any) -> bool:
    """`==`, but a boolean is no number, and a float that the candidate gave is no integer."""
    kinds = (type(one), type(other))
    if kinds[0] in _NUMBERS and kinds[1] in _NUMBERS:
        return _same_number(one, other)
    if complex in kinds and kinds[0] is not kinds[1]:
        return False
    if kinds[0] is kinds[1] and kinds[0] in (list, tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if kinds[0] in _SETS and kinds[1] in _SETS:
        return len(one) == len(other) and _same_members({item: item for item in one}, other)
    if kinds[0] is dict and kinds[1] is dict:
        keys = {key: key for key in one}
        return len(one) == len(other) and _same_members(keys, other) and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def contains(item: Any, container: Any) -> bool:
    """`in`, with `equal`."""
    if isinstance(container, list | tuple | set | frozenset | dict):
        return any(equal(item, member) for member in container)
    return item in container


def compare(signs: tuple[str, ...], *operands: Any) -> bool:
    """A chain such as `a < b == c`."""
    return all(
        _OPERATIONS[sign](one, other) for sign, one, other in zip(signs, operands[:-1], operands[1:], strict=True)
    )


def _same_number(one: float, other: float) -> bool:
    kinds = {type(one), type(other)}
    if bool in kinds and len(kinds) > 1:
        return False
    if kinds == {int, float} and id(one if type(one) is float else other) in received:
        return False
    return one == other


def _same_members(members: dict[Any, Any], others: Iterable[Any]) -> bool:
    missing = object()
    return all(equal(members.get(item, missing), item) for item in others)


_OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "Eq": equal,
    "NotEq": lambda one, other: not equal(one, other),
    "In": contains,
    "NotIn": lambda one, other: not contains(one, other),
    "Is": lambda one, other: one is other,
    "IsNot": lambda one, other: one is not other,
    "Lt": lambda one, other: one < other,
    "LtE": lambda one, other: one <= other,
    "Gt": lambda one, other: one > other,
    "GtE": lambda one, other: one >= other,
}


class _Strictly(ast.NodeTransformer):
    """Turns comparisons into calls."""

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """One comparison or a chain of them."""
        self.generic_visit(node)
        names = [type(sign).__name__ for sign in node.ops]
        if not {"Eq", "NotEq", "In", "NotIn"} & set(names):
            return node
        operands = [node.left, *node.comparators]
        if len(names) > 1:
            signs = ast.Tuple([ast.Constant(name) for name in names], ast.Load())
            return ast.copy_location(_call(COMPARE, signs, *operands), node)
        made: ast.expr = _call(EQUAL if names[0] in ("Eq", "NotEq") else CONTAINS, *operands)
        if names[0] in ("NotEq", "NotIn"):
            made = ast.UnaryOp(ast.Not(), made)
        return ast.copy_location(made, node)


def strictly(tree: ast.Module) -> ast.Module:
    """The same tests with strict comparisons."""
    return ast.fix_missing_locations(_Strictly().visit(tree))  # type: ignore[no-any-return]


def install() -> None:
    """Give rewritten code, and `unittest`, what they call."""
    for name, function in ((EQUAL, equal), (CONTAINS, contains), (COMPARE, compare)):
        setattr(builtins, name, function)
    for name, assertion in _ASSERTIONS.items():
        setattr(unittest.TestCase, name, assertion)


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _assert_equal(case: unittest.TestCase, first: Any, second: Any, msg: Any = None) -> None:
    if not equal(first, second):
        case.fail(msg)


def _assert_not_equal(case: unittest.TestCase, first: Any, second: Any, msg: Any = None) -> None:
    if equal(first, second):
        case.fail(msg)


def _assert_sequence_equal(
    case: unittest.TestCase, first: Any, second: Any, msg: Any = None, seq_type: Any = None
) -> None:
    if (seq_type and not (isinstance(first, seq_type) and isinstance(second, seq_type))) or not equal(
        list(first), list(second)
    ):
        case.fail(msg)


def _assert_count_equal(case: unittest.TestCase, first: Any, second: Any, msg: Any = None) -> None:
    rest = list(second)
    for item in first:
        found = next((index for index, other in enumerate(rest) if equal(item, other)), None)
        if found is None:
            raise case.failureException(msg)
        rest.pop(found)
    if rest:
        case.fail(msg)


def _assert_in(case: unittest.TestCase, member: Any, container: Any, msg: Any = None) -> None:
    if not contains(member, container):
        case.fail(msg)


def _assert_not_in(case: unittest.TestCase, member: Any, container: Any, msg: Any = None) -> None:
    if contains(member, container):
        case.fail(msg)


_ASSERTIONS = {
    **dict.fromkeys(
        ("assertEqual", "assertListEqual", "assertTupleEqual", "assertDictEqual", "assertSetEqual"), _assert_equal
    ),
    "assertNotEqual": _assert_not_equal,
    "assertSequenceEqual": _assert_sequence_equal,
    "assertCountEqual": _assert_count_equal,
    "assertIn": _assert_in,
    "assertNotIn": _assert_not_in,
}
