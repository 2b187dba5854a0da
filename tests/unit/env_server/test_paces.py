"""Who is slow, with a clock that the test turns."""

import pytest

from env_server.paces import Paces


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("env_server.paces.time", clock)
    return clock


def run(paces: Paces, clock: Clock, name: str, *took_s: float) -> list[bool]:
    changes = []
    for one in took_s:
        paces.began("place", name)
        clock.now_s += one
        changes.append(paces.ended("place"))
    return changes


def test_nobody_is_slow_before_it_was_seen_to_be():
    assert not Paces().is_slow("new")


def test_a_rewarder_whose_jobs_take_long_is_slow_and_its_neighbour_is_not(clock: Clock):
    paces = Paces()
    run(paces, clock, "slow", 0.3)
    run(paces, clock, "quick", 0.001)
    assert (paces.is_slow("slow"), paces.is_slow("quick")) == (True, False)
    assert paces.expected_s("slow") == pytest.approx(0.3)


def test_one_hiccup_makes_nobody_slow(clock: Clock):
    paces = Paces()
    run(paces, clock, "quick", *[0.001] * 20, 0.15)
    assert not paces.is_slow("quick")


def test_a_rewarder_that_hangs_just_now_is_slow_whatever_it_was(clock: Clock):
    paces = Paces()
    run(paces, clock, "quick", *[0.001] * 20)
    paces.began("place", "quick")
    clock.now_s += 0.3
    assert paces.is_slow("quick")
    assert not paces.is_slow("another")


def test_how_long_an_answer_lay_here_is_not_held_against_its_rewarder(clock: Clock):
    paces = Paces()
    for _ in range(20):
        paces.began("place", "quick")
        clock.now_s += 0.1
        paces.ended("place", 0.001)
    assert not paces.is_slow("quick")


def test_one_that_took_very_long_is_slow_for_a_while_and_then_quick_again(clock: Clock):
    paces = Paces()
    run(paces, clock, "once", *[0.001] * 20, 2.0)
    changes = run(paces, clock, "once", *[0.001] * 60)
    assert changes.count(True) == 1
    assert 10 < changes.index(True) < 50
    assert not paces.is_slow("once")
