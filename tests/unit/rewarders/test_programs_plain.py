import json
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.programs.calls import judge_reply
from rewarders.programs.expectations import Equals
from rewarders.programs.inside.crossing import NotPlain, decode, dumps, encode, loads
from rewarders.programs.plain import MAX_DEPTH, Rules, Tolerance, equal, read, truth, value_of
from rewarders.programs.plain import NotPlain as Refused
from rewarders.programs.reasons import Reason

HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4),
    max_leaves=6,
)
PLAIN = st.recursive(
    HASHABLE | st.complex_numbers(allow_nan=False, allow_infinity=False) | st.just("\ud83d\ude00"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.dictionaries(st.text(max_size=3) | st.just("$tuple"), inner, max_size=3)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


def crossed(value: Any) -> Any:
    return decode(loads(dumps(encode(value))))


def shape(value: Any) -> Any:
    """A value with the types of everything in it, so that equal means the same."""
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value), sorted(map(repr, map(shape, value)))
    if isinstance(value, dict):
        return dict, sorted(repr((shape(key), shape(item))) for key, item in value.items())
    return type(value), hex(value) if type(value) is int else repr(value)


@settings(deadline=None)
@given(PLAIN)
def test_plain_data_crosses_as_it_is(value: Any):
    assert shape(crossed(value)) == shape(value)


@settings(deadline=None)
@given(PLAIN)
def test_a_value_that_crossed_equals_itself_under_all_rules(value: Any):
    arrived, sent = read(dumps(encode(value))), value_of(encode(value))
    for rules in (Rules(), Rules("int_for_float"), Rules("python"), Rules(tuples_for_lists=True)):
        assert equal(sent, arrived, rules)
    assert truth(arrived) == bool(value)


@settings(deadline=None)
@given(PLAIN, PLAIN)
def test_exactly_equal_is_never_kinder_than_python(one: Any, other: Any):
    if equal(value_of(encode(one)), value_of(encode(other))):
        assert one == other


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, -0.0, 10**5000, -(2**63) - 1, 2**63, 1e308],
    ids=lambda value: hex(value)[:9] if type(value) is int else repr(value),
)
def test_odd_numbers_cross(value: float):
    assert shape(crossed(value)) == shape(value)
    assert equal(value_of(encode(value)), read(dumps(encode(value))))


class Everything(list):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Four(IntEnum):
    FOUR = 4


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [Everything(), Four.FOUR, Text("a"), namedtuple("P", "x")(1), object(), len, iter([]), range(3), {}.items(), ...],
    ids=lambda value: type(value).__name__,
)
def test_what_only_looks_like_plain_data_does_not_cross(value: Any):
    with pytest.raises(NotPlain, match=type(value).__name__):
        encode(value)
    with pytest.raises(NotPlain):
        encode([{"deep": value}])


@pytest.mark.parametrize("value", [Counter("aab"), OrderedDict(a=1), defaultdict(int, a=1)])
def test_the_dictionaries_of_the_standard_library_cross_as_dictionaries(value: dict[str, int]):
    assert shape(crossed(value)) == shape(dict(value))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff", b"nope", b"NaN", b"[1,]", b"1e999", b'{"a":1,"a":2}', b'{"$tuple":1}',
        b'{"$tuple":[],"a":1}',
        b'{"$set":{}}', b'{"$dict":[[1]]}', b'{"$dict":[1]}', b'{"$dict":{}}', b'{"$int":"12"}', b'{"$int":12}',
        b'{"$int":"0x_1"}', b'{"$int":"0xg"}', b'{"$int":"0x"}', b'{"$float":"x"}', b'{"$float":1}', b'{"$bytes":"*"}',
        b'{"$bytes":[]}',
        b'{"$complex":[1,2]}', b'{"$complex":[1.0]}', b'{"$complex":["a","b"]}', b'{"$handle":1}', b'{"$":1}',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), b"9" * 5000, b'{"$tuple":[' * 120 + b"]}" * 120,
        b'{"$float":"' + b"1" * 500 + b'"}',
    ],
    ids=lambda data: repr(data[:20]),
)  # fmt: skip
def test_bytes_that_are_no_plain_data_are_refused_and_nothing_else_happens(data: bytes):
    with pytest.raises(Refused):
        read(data)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, True),
        (True, 1),
        (0, False),
        (1, 1.0),
        (1.0, 1),
        (1.0, True),
        ("1", 1),
        (b"a", "a"),
        (None, False),
        ([], None),
        ([1], [True]),
        ({"a": 1}, {"a": 1.0}),
        ({1}, {True}),
        ({1: 2}, {True: 2}),
        ([1], (1,)),
        ({1}, frozenset({1})),
        ([1, 2], [1]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 1}),
        (2**53, 2**53 + 1),
        (1 + 0j, 1),
        ("a", "a "),
    ],
)
def test_a_value_of_another_type_is_another_value(expected: Any, actual: Any):
    assert not equal(value_of(encode(expected)), value_of(encode(actual)))


@pytest.mark.parametrize(
    ("rules", "expected", "actual", "same"),
    [
        (Rules("int_for_float"), 2.0, 2, True),
        (Rules("int_for_float"), 2, 2.0, False),
        (Rules("int_for_float"), 1.0, True, False),
        (Rules("int_for_float"), {1.0, 2.0}, {2, 1}, True),
        (Rules("int_for_float"), {1, 2}, {2.0, 1}, False),
        (Rules("int_for_float"), {1.0: "a"}, {1: "a"}, True),
        (Rules("python"), 1, True, True),
        (Rules("python"), {1}, frozenset({1.0}), True),
        (Rules("python"), [1], (1,), False),
        (Rules(tuples_for_lists=True), [[1, 2]], ((1, 2),), True),
        (Rules(tuples_for_lists=True), (1, 2), [1, 2], False),
        (Rules(tuples_for_lists=True), {"a": [1]}, {"a": (1,)}, True),
        (Rules(tolerance=Tolerance(0.1)), [1.0], [1.05], True),
        (Rules(tolerance=Tolerance(0.1)), [1.0], [1], True),
        (Rules(tolerance=Tolerance(0.1)), [1.0], [True], False),
        (Rules(tolerance=Tolerance(0.1)), [1.0], [1.2], False),
        (Rules(tolerance=Tolerance(0.0, 0.1)), {"a": 100.0}, {"a": 109.0}, True),
        (Rules(tolerance=Tolerance(0.1)), {1.0}, {1.05}, False),
        (Rules(tolerance=Tolerance(0.1)), 1, 1.0, False),
        (Rules(tolerance=Tolerance(0.1)), 1.0, 10**400, False),
        (Rules(tolerance=Tolerance(0.1)), math.inf, math.inf, True),
        (Rules(tolerance=Tolerance(1e300)), math.inf, 1.0, False),
        (Rules(), math.nan, math.nan, True),
    ],
)  # fmt: skip
def test_rules_allow_what_they_say_and_no_more(rules: Rules, expected: Any, actual: Any, same: bool):
    assert equal(value_of(encode(expected)), value_of(encode(actual)), rules) is same


def test_a_forged_set_with_a_member_twice_is_no_other_set():
    assert not equal(read(b'{"$set":[1,2]}'), read(b'{"$set":[1,1]}'))
    assert not equal(read(b'{"$dict":[[1,1],[2,2]]}'), read(b'{"$dict":[[1,1],[1,1]]}'))


def test_values_chosen_to_collide_in_a_hash_table_cost_no_more_than_others():
    period = 2**61 - 1
    members = json.dumps({"$set": [{"$int": hex(period * n)} for n in range(1, 30_000)]}).encode()
    assert equal(read(members), read(members))


ANYTHING = Equals(None, Rules())
REPLIES = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["value", "raised", "at", "opaque", "$tuple", "$set", "$dict", "$int", "$float", "$bytes"])
            | st.text(max_size=2),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
).map(lambda node: json.dumps(node).encode())


@settings(deadline=None)
@given(REPLIES)
def test_whatever_a_reply_holds_it_comes_to_a_reason(reply: bytes):
    reason, name = judge_reply(reply, ANYTHING)
    assert reason in Reason
    assert name is None or len(name.encode()) <= 320


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"value": None}, "passed"),
        ({"value": 1}, "wrong_answer"),
        ({"opaque": "E"}, "not_plain"),
        ({"opaque": 1}, "not_plain"),
        ({"raised": "KeyError", "at": "call"}, "raised"),
        ({"raised": "SyntaxError", "at": "load"}, "compile_error"),
        ({"raised": "SyntaxError", "at": "call"}, "raised"),
        ({"raised": "AttributeError", "at": "find"}, "no_entry_point"),
        ({"raised": "KeyError", "at": "find"}, "raised"),
        ({"raised": "RecursionError", "at": "reply"}, "not_plain"),
        ({"raised": ["KeyError"]}, "raised"),
        ({}, "no_reply"),
        ([], "not_plain"),
        ({"$set": []}, "not_plain"),
    ],
)
def test_a_reply_means_what_it_says(reply: Any, reason: str):
    assert judge_reply(json.dumps(reply).encode(), ANYTHING)[0] == reason
