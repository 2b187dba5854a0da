"""Parts of the tests' side on their own."""

import ast
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rewarders.programs import scripts
from rewarders.programs.inside import strict
from rewarders.programs.inside.judge import unbound
from rewarders.programs.inside.link import CandidateLeft, Link, Uncrossable
from rewarders.programs.inside.remote import Handle
from rewarders.programs.inside.strict import compare, contains, equal, received, strictly


def test_every_script_is_one_module_that_compiles():
    for script in (scripts.call_script(), scripts.serve_script(), scripts.judge_script()):
        (name,) = [name for name in script.files if name.endswith(".py")]
        tree = ast.parse(script.files[name])
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        assert len(names) == len(set(names)), "two parts define the same name"
        assert "main" in names


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1, True), (1, True, False), (True, True, True), (1, 1.0, True), ([1, (2,)], [1, (2,)], True),
        ([1], (1,), False), ([True], [1], False), ({1: [True]}, {1: [1]}, False), ({1: 2}, {1: 2}, True),
        ({True: 1}, {1: 1}, False), ({1, 2}, {2, 1}, True), ({1}, frozenset({1}), True), ({True}, {1}, False),
        ("a", b"a", False), (None, None, True), (float("nan"), float("nan"), False), ({}, [], False),
        ({1: 1}, {2: 1}, False), ([1, 2], [1], False),
    ],
)  # fmt: skip
def test_equality_is_pythons_with_the_types_that_matter(one: Any, other: Any, same: bool):
    assert equal(one, other) is same
    assert equal(other, one) is same
    assert contains(one, [0, other]) is (same or equal(one, 0))
    assert compare(("Eq", "NotEq"), one, other, object()) is same


def test_a_float_of_the_candidates_is_no_integer_while_one_of_the_tests_own_may_be():
    theirs = float("4")
    received[id(theirs)] = theirs
    assert not equal(theirs, 4)
    assert not equal({"a": [4]}, {"a": [theirs]})
    assert equal(theirs, 4.0)
    assert equal(2.0 + 2.0, 4)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("True == 1", False),
        ("True != 1", True),
        ("True in [1]", False),
        ("True not in [1]", True),
        ("1 < 2 == True + 1", True),
        ("0 < 1 == True", False),
        ("[x for x in (1, 2) if x == True]", []),
        ("(lambda x: x == 1)(True)", False),
        ("'a' in 'cat'", True),
        ("1 in {1: 2} and 2 >= 2 and None is None == None", True),
    ],
)
def test_rewritten_comparisons_are_strict(source: str, value: Any):
    names = {strict.EQUAL: equal, strict.CONTAINS: contains, strict.COMPARE: compare}
    tree = strictly(ast.parse(f"value = {source}"))
    exec(compile(tree, "tests", "exec"), names)
    assert names["value"] == value


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def check(f):\n    assert f(1) == helper(1)", ["helper"]),
        ("import math\nfrom a import b as c\nx = math.pi + c\ndef f(y): return [z + y for z in x]", []),
        ("class A:\n    def m(self): return B()\nprint(A)", ["B"]),
        ("def f():\n    global g\n    g = 1\ndef h(): return g", []),
        ("try:\n    a\nexcept NameError as e:\n    print(e)\nfor i in q: pass", ["a", "q"]),
        ("from solution import *\nassert double(2) == len([1])", ["double"]),
        ("def check(f):\n    def poly(x): return x\n    return poly(coeffs)", ["coeffs"]),
    ],
)
def test_names_that_nobody_binds_are_found(code: str, names: list[str]):
    assert unbound(code) == names


@contextmanager
def linked(*answers: bytes, patience_s: float = 5.0) -> Iterator[Link]:
    """A link to a peer that reads a frame and sends the next answer, whatever that is."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            for answer in answers:
                theirs.recv(65536)
                theirs.sendall(answer)

    peer = threading.Thread(target=serve)
    peer.start()
    with ours:
        yield Link(ours, patience_s, Handle)
    peer.join()


def frame(**fields: Any) -> bytes:
    data = json.dumps(fields).encode()
    return len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\xff\xff\xff\xff", b"\0\0\0\4nope", b"\0\0\0\2\xff\xff", b"\0\0\0\2[]", b"\0\0\0\4null",
        frame(), frame(number=1),
        frame(number=2, value=1), frame(number="1", value=1), frame(number=1, value={"$what": 1}),
        frame(number=1, value={"$handle": "x"}), frame(number=1, value={"$int": 5}),
        frame(number=1, value={"$set": [[1]]}),
        frame(number=1, value={"$dict": [[1]]}), frame(number=1, value={"$exception": []}),
        frame(number=1, raised=[], message=""),
        frame(number=1, raised=[1], message=""), frame(number=1, raised="ValueError", message=""),
        frame(number=1, raised=["ValueError"]),
        b"\0\1\0\0" + b"[" * 65536,
    ],
    ids=lambda answer: repr(answer[:40]),
)  # fmt: skip
def test_bytes_that_are_no_answer_are_the_end_of_the_candidate(answer: bytes):
    with linked(answer) as link:
        for _ in range(2):
            with pytest.raises(CandidateLeft):
                link.ask("get", 0, "f")
        assert link.gone in ("closed", "garbled")


def test_a_candidate_that_says_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    with theirs, ours:
        link = Link(ours, 0.05, Handle)
        with pytest.raises(CandidateLeft):
            link.ask("get", 0, "f")
        assert link.gone == "silent"


def test_a_candidate_that_says_it_a_byte_at_a_time_is_given_up_all_the_same():
    ours, theirs = socket.socketpair()
    with theirs, ours:
        theirs.sendall(b"\0\0\1\0")
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.02):
                theirs.sendall(b" ")

        peer = threading.Thread(target=drip)
        peer.start()
        link = Link(ours, 0.2, Handle)
        with pytest.raises(CandidateLeft):
            link.ask("get", 0, "f")
        stop.set()
        peer.join()
        assert link.gone == "silent"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["ValueError", "Exception"], ValueError),
        (["Mine", "KeyError", "LookupError", "Exception"], KeyError),
        (["UnicodeDecodeError", "UnicodeError", "ValueError", "Exception"], Exception),
        (["Skipped", "OutcomeException", "BaseException"], CandidateLeft),
        (["SystemExit", "BaseException"], CandidateLeft),
        (["Mine", "SystemExit"], CandidateLeft),
        (["nothing of the kind"], CandidateLeft),
    ],
)
def test_exceptions_arrive_as_what_their_names_say_and_never_as_an_exit(names: list[str], kind: type[BaseException]):
    with linked(frame(number=1, raised=names, message="why")) as link:
        with pytest.raises(kind) as caught:
            link.ask("get", 0, "f")
        assert link.is_candidates(caught.value)
        assert not isinstance(caught.value, SystemExit | KeyboardInterrupt)


def test_an_exception_of_ones_own_is_the_same_class_each_time():
    names = ["Mine", "ValueError", "Exception"]
    told, raised = frame(number=1, value={"$exception": names}), frame(number=2, raised=names, message="why")
    with linked(told, raised) as link:
        mine = link.ask("get", 0, "Mine")
        with pytest.raises(mine, match="why"):
            link.ask("call", 0, [], {})


@pytest.mark.parametrize(
    "value", [len, object(), [{"a": print}], (1).__add__], ids=["builtin", "object", "inside", "bound"]
)
def test_what_cannot_cross_is_noted_and_nothing_is_sent(value: Any):
    with linked() as link:
        with pytest.raises(Uncrossable, match="only plain data crosses"):
            link.ask("call", 0, [value], {})
        assert link.uncrossable
