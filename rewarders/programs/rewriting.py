"""Asserts of the common forms, rewritten into calls and expectations: what they expect then never leaves this process.

All of a task's asserts are rewritten or none: what says more than these forms is run as it stands, beside the
candidate and not with it (`split.py`). `f` is the entry point, or the argument of `check`; the rest is constants.

    assert f(...)                        assert not f(...)
    assert f(...) == constant            also !=, also the other way round
    assert f(...) is None                also True and False, also `is not`
    assert abs(f(...) - constant) < eps  also <=, also the other way round inside
    assert math.isclose(f(...), constant, rel_tol=..., abs_tol=...)
    assert this and that
"""

import ast
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

from rewarders.programs.constants import NotConstant, evaluate
from rewarders.programs.expectations import CallCase, Close, Differs, Equals, Expectation, Holds, Near
from rewarders.programs.inside.crossing import dumps, encode
from rewarders.programs.plain import NotPlain, Plain, Rules, value_of

EXACT = Rules(numbers="int_for_float")
"""`==` with the types that the author wrote; an integer is taken where he wrote a float that equals it."""

LOOSE = Rules(numbers="python")
"""`!=` holds only where Python too would see a difference."""

_HARMLESS_MODULES = {"math", "typing"}
_MEANINGFUL = {"abs", "math", "check", "set", "frozenset", "tuple", "list", "float", "complex"}
_warnings_lock = Lock()


class _OtherForm(Exception):
    """A statement says more than the forms above."""


def parsed(code: str) -> ast.Module:
    """The syntax tree of a task's tests, which has to compile as well.

    Raises:
        ValueError: it does not; the message names the line and quotes nothing.
    """
    try:
        with _warnings_lock, warnings.catch_warnings():  # they would quote the tests to whoever reads our log
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            compile(tree, "tests", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise ValueError(f"is not Python: line {error.lineno or 0}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("is not Python that can be compiled") from None
    return tree


@lru_cache(maxsize=128)
def check_syntax(code: str) -> None:
    """Raises ValueError as `parsed` does; remembers what it found right, for a group of completions has one task."""
    parsed(code)


@lru_cache(maxsize=128)
def call_cases(code: str, entry_point: str) -> tuple[CallCase, ...] | None:
    """The asserts as calls; None where one of them is of another form. Raises ValueError as `parsed` does."""
    try:
        return tuple(_module(parsed(code).body, entry_point))
    except (_OtherForm, NotConstant, NotPlain):
        return None


def _module(body: Sequence[ast.stmt], entry_point: str) -> Iterator[CallCase]:
    checks = [statement for statement in body if isinstance(statement, ast.FunctionDef)]
    if len(checks) > 1 or entry_point in _MEANINGFUL:
        raise _OtherForm
    for statement in body:
        match statement:
            case ast.FunctionDef():
                yield from _check(statement, entry_point)
            case ast.Expr(value=ast.Call(func=ast.Name(id="check"), args=[ast.Name(id=name)], keywords=[])):
                if name != entry_point or not checks:
                    raise _OtherForm
            case _:
                yield from _statement(statement, entry_point, (entry_point,))


def _check(function: ast.FunctionDef, entry_point: str) -> Iterator[CallCase]:
    taken = function.args
    names = [argument.arg for argument in taken.args]
    plain = not (function.decorator_list or taken.posonlyargs or taken.vararg or taken.kwonlyargs or taken.kwarg)
    if function.name != "check" or len(names) != 1 or not plain or taken.defaults or names[0] in _MEANINGFUL:
        raise _OtherForm
    for statement in function.body:
        yield from _statement(statement, entry_point, (names[0], entry_point))


def _statement(statement: ast.stmt, entry_point: str, callees: Collection[str]) -> Iterator[CallCase]:
    match statement:
        case ast.Assert(test=test):
            yield from _claims(test, entry_point, callees)
        case ast.Pass() | ast.Expr(value=ast.Constant() | ast.Name()):
            pass
        case ast.Import(names=[ast.alias(name=name, asname=None)]) if name in _HARMLESS_MODULES:
            pass
        case ast.ImportFrom(module="typing"):
            pass
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in _MEANINGFUL | {*callees}:
            evaluate(value)
        case _:
            raise _OtherForm


def _claims(test: ast.expr, entry_point: str, callees: Collection[str]) -> Iterator[CallCase]:
    """The cases of one assert; none for one that asks nothing of the candidate."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for part in test.values:
            yield from _claims(part, entry_point, callees)
    elif isinstance(test, ast.Constant):
        if not test.value:
            raise _OtherForm
    else:
        call, expectation = _claim(test)
        yield CallCase(_request(call, entry_point, callees), expectation)


def _claim(test: ast.expr) -> tuple[ast.Call, Expectation]:
    match test:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr="isclose"), args=[ast.Call() as call, other]):
            return call, _close(other, test.keywords)
        case ast.Call():
            return test, Holds(True)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call):
            return call, Holds(False)
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="abs"), args=[ast.BinOp(op=ast.Sub()) as gap], keywords=[]),
            ops=[ast.Lt() | ast.LtE() as sign],
            comparators=[limit],
        ):
            return _near(gap, limit, closed=isinstance(sign, ast.LtE))
        case ast.Compare(left=ast.Call() as call, ops=[sign], comparators=[other]) if not _is_constant(call):
            return call, _compared(sign, other)
        case ast.Compare(left=other, ops=[sign], comparators=[ast.Call() as call]):
            return call, _compared(sign, other)
    raise _OtherForm


def _compared(sign: ast.cmpop, other: ast.expr) -> Expectation:
    value = evaluate(other)
    if isinstance(sign, ast.Eq | ast.NotEq):
        return Equals(_plain(value), EXACT) if isinstance(sign, ast.Eq) else Differs(_plain(value), LOOSE)
    if isinstance(sign, ast.Is | ast.IsNot) and (value is None or isinstance(value, bool)):
        return Equals(value, Rules()) if isinstance(sign, ast.Is) else Differs(value, Rules())
    raise _OtherForm


def _near(gap: ast.BinOp, limit: ast.expr, *, closed: bool) -> tuple[ast.Call, Expectation]:
    call, centre = (gap.left, gap.right) if _is_constant(gap.right) else (gap.right, gap.left)
    if not isinstance(call, ast.Call):
        raise _OtherForm
    return call, Near(_finite(centre), _finite(limit), closed)


def _close(other: ast.expr, keywords: Sequence[ast.keyword]) -> Close:
    given = {keyword.arg: _finite(keyword.value) for keyword in keywords}
    if not given.keys() <= {"rel_tol", "abs_tol"} or any(value < 0 for value in given.values()):
        raise _OtherForm
    return Close(_finite(other), given.get("rel_tol", 1e-9), given.get("abs_tol", 0.0))


def _request(call: ast.Call, entry_point: str, callees: Collection[str]) -> bytes:
    """What the driver is told. A call of anything but the candidate's function is of another form."""
    if not isinstance(call.func, ast.Name) or call.func.id not in callees:
        raise _OtherForm
    if not all(keyword.arg for keyword in call.keywords):
        raise _OtherForm
    arguments = [evaluate(argument) for argument in call.args]
    keywords = {str(keyword.arg): evaluate(keyword.value) for keyword in call.keywords}
    return dumps({"entry_point": entry_point, "args": encode(arguments), "kwargs": encode(keywords)})


def _plain(value: Any) -> Plain:
    return value_of(encode(value))


def _is_constant(node: ast.expr) -> bool:
    try:
        evaluate(node)
    except NotConstant:
        return False
    return True


def _finite(node: ast.expr) -> float:
    value = evaluate(node)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise _OtherForm
    return value
