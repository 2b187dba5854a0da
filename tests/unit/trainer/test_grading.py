import pytest

from env_server.schemas import ScoredItem, Status
from rewarders.errors import FaultBudgetExceeded
from rewarders.types import Component, Fault, Verdict
from trainer.grading import check_fault_budget, component_means, reward_parts

FAULT = Fault(kind="sandbox_lost", message="the sandbox went away")


def part(name, score=None):
    judged = {"verdict": Verdict(score=score, reason="checked")} if score is not None else {"fault": FAULT}
    return Component(rewarder=name, version="1", distribution="d", **judged)


def scored(reward=1.0, *parts):
    return ScoredItem(status=Status.SCORED, task_id="t", reward=reward, components=parts)


UNSCORED = ScoredItem(status=Status.UNSCORED, task_id="t", reward=None, fault=FAULT)


def test_faults_within_the_budget_are_let_through():
    check_fault_budget([scored()] * 19 + [UNSCORED], 0.05, step=3)


def test_faults_over_the_budget_stop_the_run_and_are_counted_by_kind():
    with pytest.raises(FaultBudgetExceeded, match=r"step 3: 2 of 20 .* \(2 sandbox_lost\)") as caught:
        check_fault_budget([scored()] * 18 + [UNSCORED] * 2, 0.05, step=3)
    assert "the sandbox went away" in caught.value.hint


def test_rewards_of_zero_are_no_faults():
    check_fault_budget([scored(0.0)] * 20, 0.0, step=1)


def test_a_component_is_averaged_over_the_verdicts_it_gave():
    graded = [scored(1.0, part("a", 1.0), part("b", 0.0)), scored(0.0, part("a", 0.5), part("b")), UNSCORED]
    assert component_means(graded) == {"a": 0.75, "b": 0.0}


def test_a_rewarder_that_stands_twice_in_a_rubric_is_told_apart():
    assert component_means([scored(1.0, part("a", 1.0), part("a", 0.0))]) == {"a": 1.0, "a#2": 0.0}


def test_the_parts_of_a_reward_come_with_the_sizes_of_their_weights():
    good = part("a", 1.0).model_copy(update={"contribution": 0.5, "weight": 2.0})
    penalty = part("a", 1.0).model_copy(update={"contribution": -0.25, "weight": -1.0})
    assert reward_parts(scored(0.25, good, penalty)) == {"a": (0.5, 2.0), "a#2": (-0.25, 1.0)}
