import pytest

from env_server.schemas import ScoredItem, Status
from rewarders.errors import ConfigError
from rewarders.types import Component, Fault, FinishReason, Verdict
from trainer.config import EvalSection
from trainer.evaluate import summarise, wilson
from trainer.rollouts import Rollout
from trainer.samplers import Sample

FAULT = Fault(kind="k", message="m")


def item(reward, **scores):
    parts = [
        Component(
            rewarder=name,
            version="1",
            distribution="d",
            verdict=None if score is None else Verdict(score=score, reason="checked"),
            fault=FAULT if score is None else None,
        )
        for name, score in scores.items()
    ]
    status = Status.UNSCORED if reward is None else Status.SCORED
    return ScoredItem(status=status, task_id="t", reward=reward, components=parts)


@pytest.fixture
def judge(make_task):
    def run(groups, **config):
        sample = Sample((1, 2), (0.0, 0.0), FinishReason.STOP, "0")
        rollouts = [
            Rollout(make_task(), (1,), group, index, sample, "")
            for group, items in enumerate(groups)
            for index, _ in enumerate(items)
        ]
        return summarise(rollouts, [one for items in groups for one in items], EvalSection(**config))

    return run


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.277533), (5, 10, 0.236593, 0.763407), (10, 10, 0.722467, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilsons_interval_matches_its_published_values(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-5)


def test_accuracy_is_the_mean_over_tasks_of_the_share_that_passed(judge):
    found = judge([[item(1.0), item(0.0)], [item(1.0), item(1.0)]], temperature=1.0, samples=2)
    assert (found.accuracy, found.tasks, found.completions) == (0.75, 2, 4)


def test_what_is_unscored_is_counted_and_otherwise_left_out(judge):
    found = judge([[item(1.0)], [item(None)], [item(0.0)]])
    assert (found.accuracy, found.tasks, found.unscored, found.reward) == (0.5, 2, 1, 0.5)


def test_a_component_can_be_the_pass_mark(judge):
    found = judge([[item(0.9, right=1.0, short=0.5)], [item(0.1, right=0.0, short=1.0)]], pass_component="right")
    assert found.accuracy == 0.5


def test_a_fault_in_the_passing_component_is_no_failure_of_the_model(judge):
    found = judge([[item(1.0, right=1.0)], [item(0.5, right=None)]], pass_component="right")
    assert (found.accuracy, found.unscored) == (1.0, 1)


def test_a_pass_component_no_rubric_has_is_refused(judge):
    with pytest.raises(ConfigError, match="pass_component = wrong"):
        judge([[item(1.0, right=1.0)]], pass_component="wrong")


def test_a_reward_rounded_to_the_grid_still_passes(judge):
    assert judge([[item(1.0 - 2**-40)]]).accuracy == 1.0
