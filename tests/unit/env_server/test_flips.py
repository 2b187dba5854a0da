"""Many replays added up, against figures that are known, and what a gate makes of them."""

import math
import random

import pytest

from env_server.replay.flips import FlipReport, as_line
from env_server.replay.intervals import ClusteredMean, beta_share, clopper_pearson, student_t
from env_server.replay.recomputing import Gate
from env_server.replay.results import Opinion, Promise, Replay, ReplayedPart, Result, Why
from rewarders.errors import ConfigError


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 50, 0.0, 0.07112174),
        (50, 50, 0.92887826, 1.0),
        (5, 100, 0.01643188, 0.11283491),
        (3, 10, 0.06673951, 0.65245285),
        (0, 0, 0.0, 1.0),
    ],
)
def test_shares_have_the_exact_interval(hits: int, count: int, low: float, high: float):
    assert clopper_pearson(hits, count) == pytest.approx((low, high), abs=1e-7)


def test_the_exact_interval_is_where_the_binomial_tails_are_a_fortieth():
    low, high = clopper_pearson(7, 40)
    above = sum(math.comb(40, k) * low**k * (1 - low) ** (40 - k) for k in range(7, 41))
    below = sum(math.comb(40, k) * high**k * (1 - high) ** (40 - k) for k in range(8))
    assert (above, below) == pytest.approx((0.025, 0.025), abs=1e-9)


def test_a_share_of_a_million_is_as_exact_as_one_of_ten():
    low, high = clopper_pearson(1000, 1_000_000)
    assert (low, high) == pytest.approx((0.000939, 0.0010639), rel=1e-3)


@pytest.mark.parametrize(("freedom", "point"), [(1, 12.7062), (5, 2.5706), (30, 2.0423), (100_000, 1.96)])
def test_students_t_is_that_of_the_tables(freedom: int, point: float):
    assert student_t(freedom) == pytest.approx(point, abs=1e-4)


@pytest.mark.parametrize(
    ("x", "a", "b", "share"), [(0.3, 1, 1, 0.3), (0.5, 4, 4, 0.5), (0.2, 2, 1, 0.04), (2, 1, 1, 1)]
)
def test_the_beta_distribution_is_known_in_its_simple_cases(x: float, a: float, b: float, share: float):
    assert beta_share(x, a, b) == pytest.approx(share, abs=1e-12)


def test_numbers_of_one_group_count_as_one_opinion():
    draw, alone, together = random.Random(1), ClusteredMean(), ClusteredMean()
    for group in range(40):
        leaning = draw.gauss(0, 1)
        for sample in range(16):
            alone.add((group, sample), leaning)
            together.add(group, leaning)
    assert alone.mean == pytest.approx(together.mean)
    narrow, wide = alone.interval(), together.interval()
    assert narrow is not None
    assert wide is not None
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) == pytest.approx(4, rel=0.05), (
        "sixteen alike: four times wider"
    )


def test_a_clustered_mean_of_singles_is_the_plain_one():
    mean = ClusteredMean()
    for number, value in enumerate([1.0, 2.0, 4.0, 5.0]):
        mean.add(number, value)
    error = math.sqrt(sum((v - 3) ** 2 for v in (1, 2, 4, 5)) / 3 / 4)
    assert mean.interval() == pytest.approx((3 - student_t(3) * error, 3 + student_t(3) * error))


def test_one_group_alone_has_no_interval():
    mean = ClusteredMean()
    mean.add("g", 1.0)
    mean.add("g", 2.0)
    assert (mean.mean, mean.interval()) == (1.5, None)


def record(number: int = 0, group: str | None = None) -> dict:
    return {"id": f"r{number}", "run": "demo", "step": 3, "group": group, "sample": 0, "task_id": "t", "rubric": "m.v1"}


def replay(then: float, now: float, old: float | None, new: float | None, **more) -> Replay:
    opinions = (Opinion(score=then, reason=f"was_{then:g}"), Opinion(score=now, reason=f"was_{now:g}"))
    different = then != now or old != new
    part = ReplayedPart(
        rewarder="odd.length", promise=Promise.EXACT, then=opinions[0], now=opinions[1],
        result=Result.DIFFERENT if then != now else Result.EQUAL,
    )  # fmt: skip
    result = Result.DIFFERENT if different else Result.EQUAL
    return Replay(record_id="r", result=result, old_reward=old, reward=new, components=(part,), **more)


def test_flips_are_counted_by_their_direction_and_by_what_was_said():
    report = FlipReport()
    for number, (old, new) in enumerate([(1, 1), (1, 0), (0, 1), (0, 1), (0, 0)]):
        report.add(record(number, group=f"g{number % 2}"), replay(old, new, old, new))
    found = report.as_json()
    assert (found["compared"], found["results"]) == (5, {"different": 3, "equal": 2})
    assert {name: found["flips"][name] for name in ("count", "up", "down", "value")} == {
        "count": 3, "up": 2, "down": 1, "value": 0.6,
    }  # fmt: skip
    assert {"rewarder": "odd.length", "then": "was_0", "now": "was_1", "count": 2} in found["transitions"]
    assert found["reward_change"]["value"] == pytest.approx(0.2)
    assert found["reward_change"]["clusters"] == 2


def test_a_part_that_only_observes_flips_too():
    observed = replay(1, 0, 0.5, 0.5)
    flip = FlipReport().add(record(), observed)
    assert flip == "down"
    line = as_line(record(), observed, flip)
    assert (line["flip"], line["result"], line["parts"][0]["now"]) == (
        "down",
        "different",
        {"score": 0, "reason": "was_0"},
    )


def test_a_change_within_the_tolerance_is_no_flip():
    report = FlipReport(tolerance=0.01)
    assert report.add(record(), replay(0.5, 0.505, 0.5, 0.505)) is None
    assert report.add(record(1), replay(0.5, 0.52, 0.5, 0.52)) is not None


def test_what_could_not_be_replayed_is_no_flip_and_is_not_compared():
    report = FlipReport()
    erased = Replay(record_id="r", result=Result.NOT_REPLAYABLE, why=Why.ERASED, old_reward=1.0)
    assert report.add(record(), erased) is None
    assert (report.compared, report.share, dict(report.why)) == (0, None, {Why.ERASED: 1})


def added(equal: int = 0, flipped: int = 0, failed: int = 0, missing: int = 0) -> FlipReport:
    report = FlipReport()
    for _ in range(equal):
        report.add(record(), replay(1, 1, 1, 1))
    for _ in range(flipped):
        report.add(record(), replay(1, 0, 1, 0))
    for result, count in ((Result.COULD_NOT, failed), (Result.NOT_REPLAYABLE, missing)):
        for _ in range(count):
            report.add(record(), Replay(record_id="r", result=result))
    return report


@pytest.mark.parametrize(
    ("gate", "report", "code"),
    [
        (Gate(0.01, plain=False), added(equal=99, flipped=1), 0),
        (Gate(0.01, plain=False), added(equal=98, flipped=2), 1),
        (Gate(0.01, plain=True), added(equal=999, flipped=1), 1),
        (Gate(0.01, plain=False, sampled=True), added(equal=100), 1),
        (Gate(0.01, plain=False, sampled=True), added(equal=500), 0),
        (Gate(sampled=True), added(equal=5), 0),
        (Gate(sampled=True), added(equal=5, flipped=1), 1),
        (Gate(), added(missing=5), 3),
        (Gate(), added(), 3),
        (Gate(0.01, plain=False), added(equal=90, failed=10), 3),
        (Gate(0.01, plain=False), added(equal=990, failed=5), 0),
        (Gate(plain=False), added(equal=10, missing=10), 0),
    ],
)
def test_a_gate_says_yes_no_or_that_nobody_can_say(gate: Gate, report: FlipReport, code: int):
    assert gate.verdict(report) == code


def test_a_gate_that_no_sample_can_pass_is_refused():
    with pytest.raises(ConfigError, match="no sample can show that nothing flips"):
        Gate(sampled=True, plain=False)
