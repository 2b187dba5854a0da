"""The truth table of `combine()`, and that contributions add up whatever the numbers are."""

import math
from functools import reduce
from operator import add
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rewarders import Component, Fault, Part, Rubric, Verdict, combine
from rewarders.errors import ConfigError
from rewarders.rubric import built_in_rubrics, parse_rubric

FAULT = "fault"


def rubric(*parts: dict[str, Any], aggregate: str = "mean") -> Rubric:
    return Rubric(name="t.v1", aggregate=aggregate, parts=[Part(rewarder="a.b", **part) for part in parts])


def components(scores: list[float | str]) -> list[Component]:
    known = {"rewarder": "a.b", "version": "1", "distribution": "d"}
    return [
        Component(fault=Fault(kind="RewarderFault", message="x"), **known)
        if score == FAULT
        else Component(verdict=Verdict(score=float(score), reason="r"), **known)
        for score in scores
    ]


GATE, PAID, OBSERVED = {"gate": True}, {"weight": 1.0}, {"weight": 0.0}


@pytest.mark.parametrize(
    ("parts", "scores", "reward"),
    [
        ([PAID], [1], 1.0),
        ([PAID], [0], 0.0),
        ([PAID], [FAULT], None),
        ([GATE, PAID], [1, 0.8], 0.8),
        ([GATE, PAID], [0, 0.8], 0.0),
        ([GATE, PAID], [0, FAULT], 0.0),
        ([GATE, PAID], [FAULT, 0.8], None),
        ([GATE, GATE, PAID], [FAULT, 0, 1], 0.0),
        ([GATE, PAID], [0.3, 1], 1.0),
        ([{"gate": True, "threshold": 0.5}, PAID], [0.3, 1], 0.0),
        ([PAID, OBSERVED], [1, 0], 1.0),
        ([PAID, OBSERVED], [1, FAULT], 1.0),
        ([{"weight": 3.0}, {"weight": 1.0}], [1, 0], 0.75),
        ([{"threshold": 0.5}], [0.49], 0.0),
        ([{"threshold": 0.5}], [0.5], 0.5),
        ([PAID, {"weight": -0.5}], [1, 1], 0.5),
        ([PAID, {"weight": -0.5}], [0, 1], -0.5),
        ([{"weight": 1 / 3}] * 3, [1, 1, 1], 1.0),
        ([{"gate": True, "weight": 1.0}, PAID], [1, 0], 0.5),
    ],
)
def test_the_truth_table_of_the_mean(parts: list[dict[str, Any]], scores: list[float | str], reward: float | None):
    assert combine(rubric(*parts), components(scores))[0] == reward


def test_a_sum_is_not_divided():
    assert combine(rubric({"weight": 2.0}, {"weight": 1.0}, aggregate="sum"), components([1, 0.5]))[0] == 2.5


def test_a_closed_gate_takes_back_what_the_others_earned():
    _, parts = combine(rubric(PAID, GATE), components([0.8, 0]))
    assert [part.contribution for part in parts] == [0.8, -0.8]


def test_nothing_is_contributed_to_a_reward_that_is_not_known():
    _, parts = combine(rubric(PAID, PAID), components([1, FAULT]))
    assert [part.contribution for part in parts] == [0.0, 0.0]


weights = st.floats(-100, 100).filter(lambda weight: weight == 0 or abs(weight) > 1e-6)
part_and_score = st.tuples(weights, st.booleans(), st.floats(0, 1), st.floats(0, 1))


@given(st.lists(part_and_score, min_size=1, max_size=8), st.sampled_from(["mean", "sum"]))
def test_contributions_add_up_to_the_reward_exactly(rows, aggregate):
    parts = [{"weight": w, "gate": g, "threshold": t} for w, g, t, _ in rows] + [PAID]
    reward, scored = combine(rubric(*parts, aggregate=aggregate), components([row[3] for row in rows] + [1.0]))
    contributions = [part.contribution for part in scored]
    assert reduce(add, contributions) == reward
    assert math.fsum(contributions) == reward


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 1)), min_size=1, max_size=6))
def test_without_penalties_a_mean_stays_between_0_and_1(rows):
    reward, _ = combine(rubric(*({"weight": w} for w, _ in rows)), components([s for _, s in rows]))
    assert reward is not None
    assert 0 <= reward <= 1 + 1e-12


def test_a_rubric_in_which_nothing_pays_is_refused():
    with pytest.raises(ValidationError, match="no part has a positive weight"):
        rubric(GATE, {"weight": -1.0})


def test_weights_too_far_apart_to_add_up_exactly_are_refused():
    with pytest.raises(ValidationError, match="closer together"):
        rubric({"weight": 0.001}, {"weight": -100.0})


def test_a_rubric_needs_a_version_in_its_name():
    with pytest.raises(ConfigError, match=r"odd\.toml: name"):
        parse_rubric(b'name = "maths"\nparts = [{rewarder = "maths.equal"}]', "odd.toml")


def test_an_unknown_key_in_a_rubric_is_named():
    with pytest.raises(ConfigError, match=r"parts\.0\.wieght"):
        parse_rubric(b'name = "m.v1"\nparts = [{rewarder = "maths.equal", wieght = 1.0}]', "odd.toml")


def test_broken_toml_names_the_file():
    with pytest.raises(ConfigError, match=r"odd\.toml is not valid TOML"):
        parse_rubric(b"name = ", "odd.toml")


def test_a_change_of_params_changes_the_digest_and_a_description_does_not():
    plain = rubric(PAID)
    assert plain.digest != rubric({"params": {"n": 1}}).digest
    assert plain.digest == Rubric(name="t.v1", description="x", parts=plain.parts).digest


def test_the_built_in_rubrics_are_the_documented_ones():
    rubrics = built_in_rubrics()
    assert [p.rewarder for p in rubrics["math.v1"].parts] == ["maths.equal"]
    reasoning = {p.rewarder: (p.gate, p.weight) for p in rubrics["reasoning.v1"].parts}
    assert reasoning == {
        "layout.tags": (True, 0.0),
        "maths.equal": (False, 1.0),
        "layout.length": (False, 0.0),
    }
