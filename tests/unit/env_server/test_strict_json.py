"""What the parser refuses, without repeating it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from env_server import strict_json
from rewarders.errors import InvalidBody, RequestError, TooLarge


def parse(body: bytes, max_values: int = 250_000):
    return strict_json.parse(body, max_values=max_values)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1} canary', "not JSON"),
        (b'{"canary": 1, "canary": 2}', "a key twice"),
        (b'{"x": {"canary": 1, "canary": 1}}', "a key twice"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "NaN"),
        (b"[1e999]", "too large"),
        (b"[" + b"9" * 5000 + b"]", "too large"),
        (b'["canary \\ud800"]', "lone surrogate"),
        (b'["\\udc00\\ud800"]', "lone surrogate"),
        (b'{"\\ud800": 1}', "lone surrogate"),
        (b'["\xff"]', "not UTF-8"),
        (b'["\xed\xa0\x80"]', "not UTF-8"),
        ('["a"]'.encode("utf-16"), "not"),
        (b"\xef\xbb\xbf[]", "not JSON"),
        (b"[" * 100_000, "nested more than 64"),
        (b"[" * 65 + b"]" * 65, "nested more than 64"),
    ],
)
def test_a_bad_body_is_refused_and_not_repeated(body: bytes, says: str):
    with pytest.raises(InvalidBody, match=says) as caught:
        parse(body)
    assert "canary" not in str(caught.value)


def test_a_body_of_too_many_values_is_refused_before_it_is_parsed():
    with pytest.raises(TooLarge):
        parse(b"[" + b"1," * 20_000 + b"1]", 10_000)
    with pytest.raises(TooLarge):
        parse(json.dumps({str(i): i for i in range(6_000)}).encode(), 10_000)


def test_punctuation_inside_strings_does_not_count_as_values():
    assert parse(json.dumps([',:[{"' * 10_000]).encode(), 100) == [',:[{"' * 10_000]


@pytest.mark.parametrize(
    "body", [b'"' + b'\\"' * 4_000_000, b'"' * 8_000_001 + b"," * 300_000, b"\\" * 8_000_000 + b":" * 300_000]
)
def test_counting_values_is_linear_in_whatever_is_sent(body: bytes):
    with pytest.raises(RequestError):
        parse(body)


def test_paired_surrogates_are_one_character():
    assert parse(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


text = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_what_json_can_say_comes_back_as_it_was(value):
    assert parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_our_own_error(body: bytes):
    try:
        parse(body)
    except RequestError:
        return
