"""Spans against the sets of numbers that they stand for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from env_server.audit.spans import merged, of_numbers, shared, total, without

numbers = st.sets(st.integers(0, 40))
spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)).map(lambda pair: (pair[0], pair[0] + pair[1])))


def places(found: list[tuple[int, int]]) -> list[int]:
    return [place for begin, end in found for place in range(begin, end)]


@given(numbers)
def test_numbers_come_back_from_their_spans(some):
    assert places(of_numbers(some)) == sorted(some)


@given(spans)
def test_merged_spans_are_the_fewest_for_the_same_places(some):
    joined = merged(some)
    assert places(joined) == sorted(set(places(some)))
    assert all(before[1] < after[0] for before, after in pairwise(joined))
    assert total(joined) == len(set(places(some)))


@given(spans, spans)
def test_spans_without_others_and_shared_with_them_are_those_of_sets(some, others):
    assert places(list(without(some, others))) == sorted(set(places(some)) - set(places(others)))
    assert places(list(shared(some, others))) == sorted(set(places(some)) & set(places(others)))
