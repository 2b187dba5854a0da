"""What the wire types refuse."""

import math

import pytest
from pydantic import ValidationError

from rewarders import Completion, Component, Fault, RewardBreakdown, Task, Verdict

WHO = {"rewarder": "a.b", "version": "1", "distribution": "d"}


def task(**more):
    return Task.model_validate({"id": "t", "prompt": [{"role": "user", "content": "?"}], "rubric": "math.v1", **more})


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.1, 1.1, True, "1", None])
def test_a_score_that_is_not_a_number_from_0_to_1_is_refused(score):
    with pytest.raises(ValidationError):
        Verdict(score=score, reason="r")


@pytest.mark.parametrize("reason", ["", "Has Spaces", "x" * 65, "1st"])
def test_a_reason_is_a_short_code(reason):
    with pytest.raises(ValidationError):
        Verdict(score=1.0, reason=reason)


def test_evidence_that_is_too_long_is_left_out_and_the_score_stands():
    verdict = Verdict(score=0.0, reason="wrong", evidence={"answer": "x" * 20_000})
    assert (verdict.score, verdict.evidence) == (0.0, {"left_out_bytes": 20_013})


@pytest.mark.parametrize("evidence", [{"n": math.nan}, {"s": "\ud800"}])
def test_evidence_that_could_not_be_recorded_is_refused(evidence):
    with pytest.raises(ValidationError):
        Verdict(score=1.0, reason="r", evidence=evidence)


@pytest.mark.parametrize("field", ["verdict", "fault"])
def test_a_component_holds_exactly_one_of_verdict_and_fault(field):
    both = {"verdict": Verdict(score=1.0, reason="r"), "fault": Fault(kind="RewarderFault", message="m")}
    with pytest.raises(ValidationError, match="either a verdict or a fault"):
        Component(**WHO, **both)
    with pytest.raises(ValidationError, match="either a verdict or a fault"):
        Component(**WHO)
    assert getattr(Component(**WHO, **{field: both[field]}), field) == both[field]


def test_the_policy_never_sees_the_reference():
    whole = task(reference={"answer": "4"})
    before = whole.digest  # derived values are kept with a task, and must not go along
    shown = whole.public()
    assert shown.reference is None
    assert "4" not in shown.model_dump_json()
    assert "reference" not in shown.document
    assert shown.digest == task().digest != before


def test_types_cannot_be_changed_or_extended():
    with pytest.raises(ValidationError):
        task().id = "other"
    with pytest.raises(ValidationError):
        task(extra=1)


def test_a_digest_depends_on_everything_that_could_matter():
    assert task().digest == task().digest
    assert task().digest != task(reference="4").digest
    assert Completion(text="a").digest != Completion(text="b").digest
    assert Completion(text="a").digest != Completion(text="a", finish_reason="length").digest


def test_integers_beyond_binary64_keep_every_digit_in_a_digest():
    assert task(reference=2**64).digest != task(reference=2**64 + 1).digest


def test_the_fault_of_a_breakdown_is_one_that_counted():
    observed = Component(**WHO, weight=0.0, fault=Fault(kind="RewarderFault", message="observed"))
    paid = Component(**WHO, fault=Fault(kind="RewarderFault", message="paid"))
    known = {"task_id": "t", "completion_digest": "d", "rubric": "r.v1", "rubric_digest": "d"}
    unscored = RewardBreakdown(**known, reward=None, components=[observed, paid])
    assert unscored.fault is not None
    assert unscored.fault.message == "paid"
    assert RewardBreakdown(**known, reward=1.0, components=[observed]).fault is None
