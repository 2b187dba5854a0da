"""Quotas, with a clock that the test turns."""

import math
from contextlib import ExitStack

import pytest

from env_server.admission import Admission, pause_s
from env_server.limits import LimitsConfig
from env_server.principal import ANYONE, KeyLimits, Principal
from rewarders.errors import Overloaded, QuotaExceeded


class Clock:
    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("env_server.admission.time", clock)
    return clock


def key(name: str = "k1", **limits) -> Principal:
    return Principal(tenant="acme", key_id=name, limits=KeyLimits(**limits))


def admit(admission: Admission, principal: Principal, items: int) -> float | None:
    """None, or the pause that is asked for."""
    try:
        with admission.admitted(principal) as admitted, admitted.paying(items):
            return None
    except QuotaExceeded as refused:
        return refused.retry_after_s


def test_without_limits_everything_is_let_in(clock: Clock):
    assert [admit(Admission(), ANYONE, 1_000_000) for _ in range(100)] == [None] * 100


def test_whoever_waits_as_long_as_told_is_let_in_and_not_a_moment_sooner(clock: Clock):
    admission, asks = Admission(), key(items_per_s=100)
    assert admit(admission, asks, 350) is None
    assert admit(admission, asks, 1) == pytest.approx(2.5)
    clock.now_s += 2.49
    assert admit(admission, asks, 1) is not None
    clock.now_s += math.ceil(0.01)
    assert admit(admission, asks, 1) is None


def test_over_a_long_time_nobody_gets_more_than_its_rate(clock: Clock):
    admission, asks, items = Admission(), key(items_per_s=50), 0
    for _ in range(10_000):
        items += 16 * (admit(admission, asks, 16) is None)
        clock.now_s += 0.01
    assert items == pytest.approx(50 * 100, rel=0.02)


def test_a_request_larger_than_the_rate_is_let_in_and_paid_for_afterwards(clock: Clock):
    admission, asks = Admission(), key(items_per_s=1)
    assert admit(admission, asks, 1024) is None
    assert admit(admission, asks, 0) == pytest.approx(1023)


def test_one_key_pays_nothing_for_another(clock: Clock):
    admission = Admission()
    assert admit(admission, key("a", items_per_s=1), 50) is None
    assert admit(admission, key("b", items_per_s=1), 50) is None
    assert admit(admission, key("a", items_per_s=1), 50) is not None


def test_what_a_key_does_not_say_the_service_says(clock: Clock):
    admission = Admission(LimitsConfig(items_per_s=10, requests_at_once=1))
    assert [admit(admission, ANYONE, 11), admit(admission, ANYONE, 1)] == [None, pytest.approx(0.1)]
    assert [admit(admission, key(items_per_s=100), 11) for _ in range(2)] == [None, None]


def test_so_many_requests_at_once_and_one_more_when_one_is_done(clock: Clock):
    admission, asks = Admission(), key(requests_at_once=2)
    with ExitStack() as under_way:
        under_way.enter_context(admission.admitted(asks))
        with admission.admitted(asks):
            assert admit(admission, asks, 1) == 1.0
            assert admit(admission, key("another", requests_at_once=2), 1) is None
        assert admit(admission, asks, 1) is None
    assert admission._at_once == {}


def test_a_request_that_fails_gives_its_place_back(clock: Clock):
    admission, asks = Admission(), key(requests_at_once=1)
    with pytest.raises(ZeroDivisionError), admission.admitted(asks):
        raise ZeroDivisionError
    assert admit(admission, asks, 1) is None


def test_a_refused_request_costs_nothing(clock: Clock):
    admission, asks = Admission(), key(items_per_s=100, requests_at_once=1)
    with admission.admitted(asks) as first, first.paying(10):
        for _ in range(100):
            assert admit(admission, asks, 1000) == 1.0
    assert admit(admission, asks, 10) is None


def test_each_server_process_has_its_share_and_at_least_one_place(clock: Clock):
    admission, asks = Admission(processes=4), key(items_per_s=100, requests_at_once=2)
    with admission.admitted(asks) as first, first.paying(50):
        assert admit(admission, asks, 1) == 1.0
    assert admit(admission, asks, 1) == pytest.approx(1.0)


def test_what_ends_in_an_error_of_ours_costs_nothing(clock: Clock):
    admission, asks = Admission(), key(items_per_s=1)
    for _ in range(3):
        with pytest.raises(Overloaded), admission.admitted(asks) as admitted, admitted.paying(1000):
            raise Overloaded("full")
    assert [admit(admission, asks, 2), admit(admission, asks, 1)] == [None, pytest.approx(1.0)]


def test_what_is_let_in_is_let_in_for_all_its_parts_and_pays_for_those_that_are_scored(clock: Clock):
    admission, asks = Admission(), key(items_per_s=1)
    with admission.admitted(asks) as admitted:
        for _ in range(3):
            with admitted.paying(10):
                pass
    assert admit(admission, asks, 1) == pytest.approx(29.0)


def test_a_request_that_asks_for_nothing_to_be_scored_is_let_in_while_others_are_paid_for(clock: Clock):
    admission, asks = Admission(), key(items_per_s=1)
    admit(admission, asks, 1000)
    with admission.admitted(asks):
        pass


def test_a_rotated_key_and_the_one_that_was_made_of_it_have_one_limit(clock: Clock):
    admission, limits = Admission(), KeyLimits(items_per_s=10, requests_at_once=1)
    old, new = (Principal(key_id=name, family="first", limits=limits) for name in ("first", "second"))
    with admission.admitted(old):
        assert admit(admission, new, 1) == 1.0
    assert [admit(admission, old, 11), admit(admission, new, 1)] == [None, pytest.approx(0.1)]


def test_nobody_is_told_to_wait_longer_than_a_day(clock: Clock):
    admission, asks = Admission(), key(items_per_s=0.001)
    admit(admission, asks, 1024)
    assert admit(admission, asks, 1) == 86_400


@pytest.mark.parametrize(
    ("too_much", "per_s", "pause"), [(10, 100, 1.0), (500, 100, 5.0), (1e9, 1, 60.0), (10, 0, 1.0)]
)
def test_a_pause_is_between_a_second_and_a_minute(too_much: float, per_s: float, pause: float):
    assert pause_s(too_much, per_s) == pause
