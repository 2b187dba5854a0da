"""Sentences about rewards: what each says, and that none says anything of the texts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewarders import Component, Fault, Rubric, Verdict, combine
from rewarders.explaining import explain

MATHS, TAGS, LENGTH = (
    {"rewarder": "maths.equal"},
    {"rewarder": "layout.tags", "gate": True},
    {"rewarder": "layout.length"},
)
JUDGE = {"rewarder": "judge.criteria"}
DOWN = Fault(kind="JudgeFault", message="SECRET", retryable=True)


def said(parts: list[dict[str, Any]], outcomes: list[Any], step: int | None = None, **more: Any) -> str:
    """The sentence for these outcomes: (score, reason), a fault, or (score, reason, why it only observes)."""
    rubric = Rubric(name="t.v1", parts=parts, **more)
    components = [_component(part["rewarder"], outcome) for part, outcome in zip(parts, outcomes, strict=True)]
    reward, scored = combine(rubric, components, step)
    return explain(rubric, scored, reward)


def _component(rewarder: str, outcome: Any) -> Component:
    known = {"rewarder": rewarder, "version": "1", "distribution": "d"}
    if isinstance(outcome, Fault):
        return Component(fault=outcome, **known)
    score, reason, *observed = outcome
    verdict = Verdict(score=score, reason=reason, evidence={"quoted": "SECRET"})
    return Component(verdict=verdict, observed=observed[0] if observed else None, **known)


UNTESTED = "judge.criteria is not calibrated"


@pytest.mark.parametrize(
    ("parts", "outcomes", "sentence"),
    [
        ([MATHS], [(1.0, "equal")], "1 for maths.equal (equal)"),
        ([MATHS], [(0.0, "wrong")], "0 for maths.equal (wrong)"),
        (
            [TAGS, MATHS],
            [(0.0, "missing_close"), (0.8, "partial")],
            "0.8 for maths.equal (partial), set to 0 by gate layout.tags: missing_close",
        ),
        (
            [TAGS, MATHS],
            [(0.0, "missing_close"), (0.0, "wrong")],
            "set to 0 by gate layout.tags: missing_close",
        ),
        (
            [TAGS, MATHS],
            [(0.0, "missing_close"), DOWN],
            "set to 0 by gate layout.tags: missing_close; maths.equal failed with JudgeFault, which changed nothing",
        ),
        (
            [{**TAGS, "settles_at": -1.0, "threshold": 0.5}, MATHS],
            [(0.4, "few"), (1.0, "equal")],
            "1 for maths.equal (equal), set to -1 by gate layout.tags: few (0.4 is below the threshold of 0.5)",
        ),
        (
            [TAGS, {"rewarder": "safety.leaks", "gate": True, "settles_at": -1.0}, MATHS],
            [(0.0, "missing_close"), (0.0, "leak"), (0.0, "wrong")],
            "set to -1 by gate safety.leaks: leak; gate layout.tags was closed too (missing_close)",
        ),
        (
            [MATHS, {**LENGTH, "weight": -0.2}],
            [(1.0, "equal"), (1.0, "too_long")],
            "1 for maths.equal (equal) and -0.2 for layout.length (too_long) make 0.8",
        ),
        (
            [MATHS, {**LENGTH, "weight": -0.2, "inverted": True}],
            [(1.0, "equal"), (0.25, "nearly_too_long")],
            "1 for maths.equal (equal) and -0.15 for layout.length (nearly_too_long, score 0.25 inverted) make 0.85",
        ),
        (
            [MATHS, {**LENGTH, "weight": 0.0}],
            [(1.0, "equal"), (0.5, "long")],
            "1 for maths.equal (equal); observed: 0.5 by layout.length (long)",
        ),
        ([{**MATHS, "cap": 0.5}], [(0.8, "partial")], "0.5 for maths.equal (partial, 0.8 capped at 0.5)"),
        (
            [{**MATHS, "threshold": 0.5}],
            [(0.4, "partial")],
            "0 for maths.equal (partial, 0.4 is below the threshold of 0.5)",
        ),
        ([MATHS], [DOWN], "unscored: maths.equal failed with JudgeFault, which another attempt may mend"),
        (
            [{**JUDGE, "gate": True}, MATHS],
            [(1.0, "yes", UNTESTED), (1.0, "equal")],
            "unscored: gate judge.criteria is an opinion that must not be relied on yet",
        ),
        (
            [JUDGE],
            [(1.0, "yes", UNTESTED)],
            "unscored: nothing is left that may be paid; "
            "judge.criteria only observes, as an opinion that must not be relied on yet",
        ),
    ],
)
def test_the_sentence_says_where_a_reward_came_from(parts, outcomes, sentence: str):
    assert said(parts, outcomes) == sentence


def test_a_reward_that_was_scaled_down_says_from_what():
    sentence = said([MATHS, LENGTH], [(1.0, "equal"), (1.0, "short")], aggregate="sum", cap=1.5)
    assert sentence.endswith("0.75 for layout.length (short), scaled down from 2 to the cap of 1.5")


def test_a_reward_that_only_reaches_the_cap_was_not_scaled_down():
    assert "scaled" not in said([MATHS, LENGTH], [(1.0, "equal"), (0.5, "short")], aggregate="sum", cap=1.5)


def test_a_weight_with_a_schedule_says_what_it_was_at_the_step():
    scheduled = {**LENGTH, "weight": [[0, 0.0], [100, 1.0]]}
    assert "0.2 for layout.length (short, weight 0.25 at this step)" in said(
        [MATHS, scheduled], [(0.0, "wrong"), (1.0, "short")], 25
    )
    assert "observed: 1 by layout.length (short)" in said([MATHS, scheduled], [(0.0, "wrong"), (1.0, "short")])


outcomes = st.tuples(st.floats(0, 1), st.sampled_from(["good", "bad"])) | st.just(DOWN)


@given(st.lists(st.tuples(st.sampled_from([MATHS, TAGS, LENGTH]), outcomes), min_size=1, max_size=6))
def test_every_outcome_has_a_sentence_and_none_repeats_a_text(rows):
    sentence = said([MATHS, *(part for part, _ in rows)], [(0.5, "good"), *(outcome for _, outcome in rows)])
    assert "SECRET" not in sentence
    assert "maths.equal" in sentence or sentence.startswith("unscored: ")
