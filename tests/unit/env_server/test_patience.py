"""Patience with whom sends what is refused, with a clock that the test turns."""

import pytest

from env_server import patience
from env_server.patience import COMES_BACK, MOST_OWED_S, Patience
from env_server.principal import Principal


class Clock:
    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    return clock


def key(name: str, family: str | None = None) -> Principal:
    return Principal(tenant="acme", key_id=name, family=family)


def test_a_mistake_now_and_then_costs_nothing(clock: Clock):
    ours = Patience()
    for _ in range(1000):
        ours.spend(key("a"), 0.002)
        assert not ours.is_gone(key("a"))
        clock.now_s += 0.3


def test_whoever_has_used_it_up_has_it_again_after_a_while_and_another_never_lost_it(clock: Clock):
    ours = Patience()
    ours.spend(key("a"), 0.03)
    assert not ours.is_gone(key("a"))
    ours.spend(key("a"), 0.04)
    assert ours.is_gone(key("a"))
    assert not ours.is_gone(key("b"))
    clock.now_s += 1.9
    assert ours.is_gone(key("a"))
    clock.now_s += 0.2
    assert not ours.is_gone(key("a"))


def test_no_more_is_owed_than_comes_back_soon(clock: Clock):
    ours = Patience()
    for _ in range(100):
        ours.spend(key("a"), 10.0)
    clock.now_s += MOST_OWED_S / COMES_BACK + 0.1
    assert not ours.is_gone(key("a"))


def test_a_new_key_for_an_old_one_brings_no_new_patience(clock: Clock):
    ours = Patience()
    ours.spend(key("old", "family"), 10.0)
    assert ours.is_gone(key("new", "family"))


def test_an_operator_is_told_once_whose_bodies_are_read_aside(clock: Clock, caplog: pytest.LogCaptureFixture):
    ours = Patience()
    with caplog.at_level("INFO"):
        for _ in range(1000):
            ours.spend(key("a"), 0.001)
    assert [record.message for record in caplog.records] == ["bodies read aside"]
