import pytest
import torch

from env_server.schemas import ScoredItem, Status
from rewarders.errors import NonFiniteLoss
from trainer.config import TrainConfig
from trainer.learner import build_learner
from trainer.nonfinite import naming_rollouts
from trainer.step import train_step


@pytest.fixture
def learner(policy, model_path):
    given = {"run": {"dir": "x", "steps": 1}, "model": {"path": str(model_path)}, "data": {"tasks": "t"}}
    return build_learner(TrainConfig.model_validate({**given, "algorithm": {"name": "grpo"}}), policy, None)


def graded(rewards):
    return [
        ScoredItem(
            status=Status.UNSCORED if reward is None else Status.SCORED,
            task_id="t",
            reward=reward,
            record_id=f"rec-{row}",
        )
        for row, reward in enumerate(rewards)
    ]


def test_the_rollouts_whose_probabilities_are_no_numbers_are_named(learner, make_batch):
    rewards = [1.0, 0.0, None, 0.5]
    batch = make_batch(rewards, [3, 4, 5, 6])
    batch.sampler_logp[1, 0] = float("nan")
    expected = pytest.raises(NonFiniteLoss, match=r"step 9: the loss is nan.*1 rollouts .*: records rec-1$")
    with expected, naming_rollouts(learner, batch, graded(rewards), 9):
        raise NonFiniteLoss("the loss is nan")


def test_where_no_rollout_stands_out_all_that_were_learnt_from_are_counted(learner, make_batch):
    rewards = [1.0, 0.0, None, 0.5] * 2
    batch = make_batch(rewards, [3, 4, 5, 6] * 2)
    expected = pytest.raises(NonFiniteLoss, match=r"6 rollouts, each of them finite: records rec-0, .* and 1 more")
    with expected, naming_rollouts(learner, batch, graded(rewards), 9):
        raise NonFiniteLoss("the gradient norm is inf")


def test_broken_weights_break_every_rollout(learner, make_batch):
    with torch.no_grad():
        next(learner.model.parameters()).fill_(float("nan"))
    rewards = [1.0, 0.0, 0.0, 0.5]
    batch = make_batch(rewards, [3, 4, 5, 6])
    expected = pytest.raises(NonFiniteLoss, match=r"step 2: the .* is nan.*4 rollouts whose")
    with expected, naming_rollouts(learner, batch, graded(rewards), 2):
        train_step(learner, batch, 2)
