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
from rewarders.rubric_files import built_in_rubrics, parse_rubric

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
        ([{"gate": True, "settles_at": -1.0}, PAID], [0, 1], -1.0),
        ([{"gate": True, "settles_at": -1.0}, PAID], [1, 1], 1.0),
        ([{"gate": True, "settles_at": -1.0}, PAID], [0, FAULT], -1.0),
        ([GATE, {"gate": True, "settles_at": -1.0}, PAID], [0, 0, 1], -1.0),
        ([{"gate": True, "settles_at": -1.0, "threshold": 0.5}, PAID], [0.4, 1], -1.0),
        ([{"cap": 0.5}], [0.8], 0.5),
        ([{"cap": 0.5}], [0.3], 0.3),
        ([{"cap": 0.5, "threshold": 0.8}], [0.8], 0.5),
        ([PAID, {"weight": -1.0, "cap": 0.25}], [1, 1], 0.75),
        ([PAID, {"weight": -0.5, "inverted": True}], [1, 1], 1.0),
        ([PAID, {"weight": -0.5, "inverted": True}], [1, 0.5], 0.75),
        ([PAID, {"weight": -0.5, "inverted": True, "cap": 0.25}], [1, 0], 0.875),
        ([PAID, {"weight": -0.5, "inverted": True, "threshold": 0.5}], [1, 0.6], 1.0),
    ],
)
def test_the_truth_table_of_the_mean(parts: list[dict[str, Any]], scores: list[float | str], reward: float | None):
    assert combine(rubric(*parts), components(scores))[0] == reward


def test_a_sum_is_not_divided():
    assert combine(rubric({"weight": 2.0}, {"weight": 1.0}, aggregate="sum"), components([1, 0.5]))[0] == 2.5


def test_a_closed_gate_takes_back_what_the_others_earned():
    _, parts = combine(rubric(PAID, GATE), components([0.8, 0]))
    assert [part.contribution for part in parts] == [0.8, -0.8]


def test_a_closed_gate_that_settles_lower_takes_that_too():
    _, parts = combine(rubric(PAID, {"gate": True, "settles_at": -0.5}), components([0.75, 0]))
    assert [part.contribution for part in parts] == [0.75, -1.25]


def test_a_capped_reward_takes_from_what_is_paid_in_proportion():
    bonus = Rubric(name="t.v1", aggregate="sum", cap=1.0, parts=[Part(rewarder="a.b") for _ in range(2)])
    reward, parts = combine(bonus, components([1, 0.6]))
    assert reward == pytest.approx(1.0, abs=1e-11)
    assert reward <= 1.0
    assert [part.contribution for part in parts] == pytest.approx([0.625, 0.375], abs=1e-11)


def test_a_penalty_counts_in_full_under_the_cap_of_the_reward():
    parts = [Part(rewarder="a.b"), Part(rewarder="a.b"), Part(rewarder="a.b", weight=-0.5)]
    capped = Rubric(name="t.v1", aggregate="sum", cap=1.0, parts=parts)
    reward, scored = combine(capped, components([1, 1, 1]))
    assert (reward, [part.contribution for part in scored]) == (1.0, [0.75, 0.75, -0.5])


@pytest.mark.parametrize(
    ("step", "weight"), [(None, 0.0), (0, 0.0), (50, 0.0), (100, 0.0), (150, 0.5), (200, 1.0), (10**12, 1.0)]
)
def test_a_weight_follows_its_schedule_and_the_components_say_which_it_was(step: int | None, weight: float):
    reward, parts = combine(rubric(PAID, {"weight": [[100, 0.0], [200, 1.0]]}), components([0, 1]), step)
    assert [part.weight for part in parts] == [1.0, weight]
    assert reward == pytest.approx(weight / (1 + weight))


def test_a_fault_changes_nothing_while_the_schedule_pays_nothing_for_the_part():
    later = rubric(PAID, {"weight": [[100, 0.0], [200, 1.0]]})
    assert combine(later, components([1, FAULT]), 100)[0] == 1.0
    assert combine(later, components([1, FAULT]), 101)[0] is None


def test_a_weight_can_jump_between_two_steps():
    jump = rubric(PAID, {"weight": [[99, 0.0], [100, 1.0]]})
    assert [combine(jump, components([0, 1]), step)[0] for step in (99, 100)] == [0.0, 0.5]


def test_nothing_is_contributed_to_a_reward_that_is_not_known():
    _, parts = combine(rubric(PAID, PAID), components([1, FAULT]))
    assert [part.contribution for part in parts] == [0.0, 0.0]


weights = st.floats(-100, 100).filter(lambda weight: weight == 0 or abs(weight) > 1e-6)
unit = st.floats(0, 1)


@st.composite
def schedules(draw):
    steps = draw(st.lists(st.integers(0, 1000), min_size=2, max_size=4, unique=True))
    sign = draw(st.sampled_from([-1, 1]))
    return [[step, sign * draw(st.floats(0.001, 10))] for step in sorted(steps)]


sometimes, slightly = st.booleans(), st.floats(-2, 0)


@st.composite
def rubrics(draw, *, gate=sometimes, settles_at=slightly):
    parts = []
    for _ in range(draw(st.integers(1, 7))):
        closes = draw(gate)
        parts.append({
            "weight": draw(weights | schedules()), "gate": closes, "threshold": draw(unit),
            "cap": draw(st.floats(0.01, 1)), "settles_at": draw(settles_at) if closes else 0.0,
            "inverted": not closes and draw(st.booleans()),
        })  # fmt: skip
    parts.append(PAID)
    sample = rubric(*parts, aggregate=draw(st.sampled_from(["mean", "sum"])))
    most = min(sample._range_at(step)[1] for step in sample.steps)
    cap = draw(st.none() | st.floats(0.01, 1).map(lambda share: share * most * 0.99))
    return Rubric.model_validate({**sample.model_dump(), "cap": cap})


scores_of_eight = st.lists(unit | st.just(0.0), min_size=8, max_size=8)
any_step = st.none() | st.integers(0, 1200)


@given(rubrics(), scores_of_eight, any_step)
def test_contributions_add_up_to_the_reward_exactly(some, scores, step):
    reward, scored = combine(some, components(scores[: len(some.parts)]), step)
    contributions = [part.contribution for part in scored]
    assert math.isfinite(reward)
    assert reduce(add, contributions) == reward
    assert math.fsum(contributions) == reward


@given(rubrics(), scores_of_eight, any_step)
def test_no_reward_is_over_the_cap_or_under_what_penalties_and_gates_allow(some, scores, step):
    reward, _ = combine(some, components(scores[: len(some.parts)]), step)
    assert reward <= (some.cap or math.inf)
    floor = min([some.lowest, *(part.settles_at for part in some.parts)])
    assert reward >= floor - 1e-9


@given(rubrics(gate=st.just(False)), scores_of_eight, any_step)
def test_no_part_is_paid_more_than_its_capped_score(some, scores, step):
    _, scored = combine(some, components(scores[: len(some.parts)]), step)
    below = some.denominator_of(some.weights_at(step))
    for part, one in zip(some.parts, scored, strict=True):
        assert abs(one.contribution) <= abs(one.weight) * part.cap / below + 1e-9


@given(rubrics(settles_at=st.just(-100.0)), scores_of_eight, any_step, st.integers(0, 7), unit)
def test_a_defect_never_pays(some, scores, step, index, worse):
    """Where a high score is paid or opens a gate it falls, where it costs it rises. Gates settle below penalties."""
    scores, index = scores[: len(some.parts)], index % len(some.parts)
    if some.lowest < -100:
        return
    part = some.parts[index]
    high_is_bad = (some.weights_at(step)[index] < 0 and not part.gate) != part.inverted
    defect = max(scores[index], worse) if high_is_bad else min(scores[index], worse)
    spoilt = [*scores[:index], defect, *scores[index + 1 :]]
    if some.parts[index].gate and some.weights_at(step)[index] < 0:
        return  # a gate whose score costs: what is a defect there, only its author knows
    before, after = (combine(some, components(one), step)[0] for one in (scores, spoilt))
    assert after <= before + 1e-9


@given(rubrics(), scores_of_eight, any_step, st.sets(st.integers(0, 7), min_size=1))
def test_a_fault_gives_no_number_unless_a_gate_is_closed_or_nothing_depends_on_it(some, scores, step, faulty):
    said = [FAULT if index in faulty else score for index, score in enumerate(scores)][: len(some.parts)]
    reward, scored = combine(some, components(said), step)
    rows = list(zip(some.parts, said, some.weights_at(step), strict=True))
    closed = any(part.gate and score != FAULT and part.effective(score) == 0 for part, score, _ in rows)
    counts = any(score == FAULT and (part.gate or weight) for part, score, weight in rows)
    assert (reward is None) == (counts and not closed)
    assert reward is not None or all(part.contribution == 0 for part in scored)


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


@pytest.mark.parametrize(
    ("parts", "more", "problem"),
    [
        ([{"settles_at": -1.0}], {}, "this is no gate"),
        ([{"gate": True, "inverted": True}, PAID], {}, "would close on a perfect score"),
        ([{"gate": True, "settles_at": 0.5}, PAID], {}, "less than or equal to 0"),
        ([{"cap": 0.0}], {}, "greater than 0"),
        ([{"weight": [[0, 1.0]]}], {}, "at least 2 items"),
        ([{"weight": [[0, 1.0], [0, 2.0]]}], {}, "have to rise"),
        ([{"weight": [[10, 1.0], [0, 2.0]]}], {}, "have to rise"),
        ([{"weight": [[0, 1.0], [10, -1.0]]}], {}, "give it two parts"),
        ([{"weight": [[0, 1.0], [10, 200.0]]}], {}, "less than or equal to 100"),
        ([{"weight": [[0, 1.0], [10, 0.0]]}], {}, "no part has a positive weight at step 10"),
        ([{"weight": [[0, 1.0], [10, 0.0]]}, {"weight": [[10, 0.0], [20, 1.0]]}], {}, "at step 10"),
        ([{"weight": [[0, 1.0], [10, 0.001]]}, {"weight": -100.0}], {}, "closer together"),
        ([PAID], {"cap": 1.0}, "no reward can be more than 1 anyway"),
        ([PAID, {"weight": -1.0}], {"cap": 2.0}, "no reward can be more than 1 anyway"),
        ([PAID], {"cap": -1.0}, "greater than 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(parts, more, problem: str):
    with pytest.raises(ValidationError, match=problem):
        Rubric(name="t.v1", parts=[{"rewarder": "a.b", **part} for part in parts], **more)


def test_an_error_in_a_schedule_is_said_of_the_schedule():
    with pytest.raises(ConfigError, match=r"odd\.toml: parts\.0\.weight\.schedule: .*have to rise"):
        parse_rubric(b'name = "m.v1"\nparts = [{rewarder = "a.b", weight = [[5, 1.0], [1, 2]]}]', "odd.toml")


def test_one_rubric_spelled_two_ways_has_one_digest():
    short = Rubric(name="t.v1", parts=[{"rewarder": "a.b"}])
    spelled = {"rewarder": "a.b", "weight": 1.0, "threshold": 0.0, "cap": 1.0, "gate": False, "settles_at": 0.0}
    long = Rubric(name="t.v1", aggregate="mean", cap=None, parts=[{**spelled, "params": {}}])
    assert short.digest == long.digest


@pytest.mark.parametrize(
    "change",
    [
        {"cap": 0.5},
        {"threshold": 0.5},
        {"gate": True},
        {"inverted": True},
        {"weight": [[0, 1.0], [9, 2.0]]},
        {"params": {"a": 1}},
    ],
)
def test_whatever_can_change_a_reward_changes_the_digest(change):
    assert rubric(PAID, PAID).digest != rubric(PAID, {**PAID, **change}).digest


def test_a_rubric_comes_back_from_its_json_the_same():
    full = rubric(
        {"gate": True, "settles_at": -1.0}, {"weight": [[0, 0.5], [10, 1.0]], "cap": 0.5}, {"params": {"n": 1}}
    )
    assert Rubric.model_validate_json(full.model_dump_json()).digest == full.digest


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
