"""Golden values in float64: eight rows of up to six tokens, from closed forms."""

import pytest
import torch
from torch import Tensor

from trainer.advantages import dr_grpo, grpo
from trainer.algorithms import Aggregation
from trainer.losses import clipped_gain, k1, k2, k3, reinforce_gain, token_weights

I = torch.arange(8, dtype=torch.float64)[:, None]  # noqa: E741 - rows, as the formulas call them
T = torch.arange(6, dtype=torch.float64)
OLD = -0.5 - 0.3 * torch.sin(1 + 0.7 * I + 1.3 * T) - 0.1 * T
LOGP = OLD + 0.35 * torch.sin(0.5 * I - 0.9 * T)
REFERENCE = OLD - 0.2 * torch.cos(0.4 * I + 0.3 * T)
MASK = torch.tensor([6, 4, 5, 3, 6, 2, 5, 4])[:, None] > T
REWARD = torch.tensor([1, 0, 0, 1, 0.5, 0, 0, 1], dtype=torch.float64)
GROUP = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
NORMALISED, CENTRED = grpo(REWARD, GROUP, 1e-4), dr_grpo(REWARD, GROUP)


def loss(advantage: Tensor, aggregation: Aggregation, high: float = 0.2) -> float:
    gain = clipped_gain(LOGP, OLD, advantage[:, None], 0.2, high)
    return -(token_weights(MASK, aggregation, 6) * gain).sum().item()


@pytest.mark.parametrize(
    ("advantage", "aggregation", "high", "expected"),
    [
        pytest.param(NORMALISED, Aggregation.SEQUENCE_MEAN, 0.2, 0.0086257401, id="grpo"),
        pytest.param(NORMALISED, Aggregation.TOKEN_MEAN, 0.2, -0.0362093007, id="token mean"),
        pytest.param(NORMALISED, Aggregation.TOKEN_MEAN, 0.28, -0.0477859505, id="dapo"),
        pytest.param(CENTRED, Aggregation.CONSTANT_LENGTH, 0.2, -0.0135911371, id="dr_grpo"),
    ],
)
def test_the_loss_matches_the_paper(advantage: Tensor, aggregation: Aggregation, high: float, expected: float):
    assert loss(advantage, aggregation, high) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("estimate", "expected"), [(k1, -0.0084013225), (k2, 0.0334295699), (k3, 0.0344826142)])
def test_a_kl_estimate_matches_its_formula(estimate, expected: float):
    found = (token_weights(MASK, Aggregation.TOKEN_MEAN, 6) * estimate(LOGP, REFERENCE)).sum().item()
    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("log_ratio", "advantage"), [(0.5, 1.0), (-0.5, -1.0)])
def test_a_ratio_beyond_the_clip_has_no_gradient(log_ratio: float, advantage: float):
    logp = torch.tensor(log_ratio, requires_grad=True)
    clipped_gain(logp, torch.tensor(0.0), torch.tensor(advantage), 0.2, 0.2).backward()
    assert logp.grad == 0


@pytest.mark.parametrize(("log_ratio", "advantage"), [(-0.5, 1.0), (0.5, -1.0)])
def test_a_ratio_that_went_the_wrong_way_is_pulled_back(log_ratio: float, advantage: float):
    logp = torch.tensor(log_ratio, requires_grad=True)
    clipped_gain(logp, torch.tensor(0.0), torch.tensor(advantage), 0.2, 0.2).backward()
    assert logp.grad is not None
    assert logp.grad * advantage > 0


def test_on_policy_the_clipped_gain_has_the_gradient_of_reinforce():
    ratios, scores = OLD.clone().requires_grad_(), OLD.clone().requires_grad_()
    clipped_gain(ratios, OLD, NORMALISED[:, None], 0.2, 0.2).sum().backward()
    reinforce_gain(scores, NORMALISED[:, None]).sum().backward()
    torch.testing.assert_close(ratios.grad, scores.grad)


def test_an_absurd_ratio_stays_finite():
    gain = clipped_gain(torch.tensor(0.0), torch.tensor(-1e4), torch.tensor(-1.0), 0.2, 0.2)
    assert torch.isfinite(gain)


@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_an_empty_completion_weighs_nothing(aggregation: Aggregation):
    weights = token_weights(torch.tensor([[True, True], [False, False]]), aggregation, 2)
    assert weights[1].sum() == 0
    assert torch.isfinite(weights).all()
