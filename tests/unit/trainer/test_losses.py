"""Golden values in float64: eight rows of up to six tokens, from closed forms."""

import pytest
import torch
from torch import Tensor

from trainer.advantages import dr_grpo, grpo
from trainer.algorithms import Aggregation
from trainer.config import CorrectionSection
from trainer.correction import correction_weights
from trainer.losses import (
    clipped_gain,
    k1,
    k2,
    k3,
    k3_straight_through,
    ratio,
    reinforce_gain,
    sequence_ratio,
    token_weights,
    weighted_gain,
)
from trainer.tally import Tally

I = torch.arange(8, dtype=torch.float64)[:, None]  # noqa: E741 - rows, as the formulas call them
T = torch.arange(6, dtype=torch.float64)
OLD = -0.5 - 0.3 * torch.sin(1 + 0.7 * I + 1.3 * T) - 0.1 * T
LOGP = OLD + 0.35 * torch.sin(0.5 * I - 0.9 * T)
REFERENCE = OLD - 0.2 * torch.cos(0.4 * I + 0.3 * T)
SAMPLER = OLD + 0.12 * torch.cos(0.8 * I + 0.6 * T)
MASK = torch.tensor([6, 4, 5, 3, 6, 2, 5, 4])[:, None] > T
REWARD = torch.tensor([1, 0, 0, 1, 0.5, 0, 0, 1], dtype=torch.float64)
GROUP = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
NORMALISED, CENTRED = grpo(REWARD, GROUP, 1e-4), dr_grpo(REWARD, GROUP)


def loss(advantage: Tensor, aggregation: Aggregation, high: float = 0.2) -> float:
    gain = clipped_gain(ratio(LOGP, OLD), advantage[:, None], 0.2, high)
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
    clipped_gain(ratio(logp, torch.tensor(0.0)), torch.tensor(advantage), 0.2, 0.2).backward()
    assert logp.grad == 0


@pytest.mark.parametrize(("log_ratio", "advantage"), [(-0.5, 1.0), (0.5, -1.0)])
def test_a_ratio_that_went_the_wrong_way_is_pulled_back(log_ratio: float, advantage: float):
    logp = torch.tensor(log_ratio, requires_grad=True)
    clipped_gain(ratio(logp, torch.tensor(0.0)), torch.tensor(advantage), 0.2, 0.2).backward()
    assert logp.grad is not None
    assert logp.grad * advantage > 0


def test_on_policy_the_clipped_gain_has_the_gradient_of_reinforce():
    ratios, scores = OLD.clone().requires_grad_(), OLD.clone().requires_grad_()
    clipped_gain(ratio(ratios, OLD), NORMALISED[:, None], 0.2, 0.2).sum().backward()
    reinforce_gain(scores, NORMALISED[:, None]).sum().backward()
    torch.testing.assert_close(ratios.grad, scores.grad)


def test_an_absurd_ratio_stays_finite():
    gain = clipped_gain(ratio(torch.tensor(0.0), torch.tensor(-1e4)), torch.tensor(-1.0), 0.2, 0.2)
    assert torch.isfinite(gain)


@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_an_empty_completion_weighs_nothing(aggregation: Aggregation):
    weights = token_weights(torch.tensor([[True, True], [False, False]]), aggregation, 2)
    assert weights[1].sum() == 0
    assert torch.isfinite(weights).all()


ROW = MASK.nonzero()[:, 0]


def flat_loss(gain: Tensor, aggregation: Aggregation) -> float:
    return -(token_weights(MASK, aggregation, 6)[MASK] * gain).sum().item()


def test_gspo_matches_the_paper():
    r = sequence_ratio(LOGP[MASK], OLD[MASK], ROW, 8)
    gain = clipped_gain(r, NORMALISED[ROW], 3e-4, 4e-4)
    assert flat_loss(gain, Aggregation.SEQUENCE_MEAN) == pytest.approx(0.0487151603, abs=1e-8)


def test_a_sequence_ratio_is_the_geometric_mean_of_its_tokens():
    r = sequence_ratio(OLD[MASK], SAMPLER[MASK], ROW, 8)
    expected = [0.9953487495, 1.0122654635, 1.0793173469, 1.1106726082, 1.0008168374, 1.0470197225, 0.9251654383]
    assert [r[row == ROW][0].item() for row in range(8)] == pytest.approx([*expected, 0.9117389364], abs=1e-8)


def test_the_gradient_of_a_sequence_ratio_is_that_of_its_tokens_mean():
    tokens, whole = LOGP[MASK].clone().requires_grad_(), LOGP[MASK].clone().requires_grad_()
    length = MASK.sum(1).double()
    (sequence_ratio(tokens, OLD[MASK], ROW, 8) / length[ROW]).sum().backward()
    mean = torch.zeros(8, dtype=torch.float64).index_add(0, ROW, whole - OLD[MASK]) / length
    mean.exp().sum().backward()
    torch.testing.assert_close(tokens.grad, whole.grad)


@pytest.mark.parametrize(("low", "high", "expected"), [(0.2, 0.28, 0.0406471677), (1.0, 4.0, 0.0456986571)])
def test_cispo_matches_both_conventions(low: float, high: float, expected: float):
    gain = weighted_gain(LOGP, ratio(LOGP, OLD), NORMALISED[:, None], low, high)
    assert flat_loss(gain[MASK], Aggregation.TOKEN_MEAN) == pytest.approx(expected, abs=1e-8)


def test_beyond_the_clip_cispo_keeps_a_gradient():
    logp = torch.tensor(2.0, requires_grad=True)
    weighted_gain(logp, ratio(logp, torch.tensor(0.0)), torch.tensor(1.0), 1.0, 0.5).backward()
    assert logp.grad == 1.5


def test_a_dual_clip_bounds_what_a_bad_token_costs():
    far = torch.tensor([50.0, 50.0, 2.0])
    advantage = torch.tensor([-1.0, 1.0, -1.0])
    assert clipped_gain(far, advantage, 0.2, 0.2, dual=3.0).tolist() == pytest.approx([-3.0, 1.2, -2.0])
    same = clipped_gain(ratio(LOGP, OLD), NORMALISED[:, None], 0.2, 0.2, dual=3.0)[MASK]
    assert flat_loss(same, Aggregation.TOKEN_MEAN) == pytest.approx(-0.0362093007, abs=1e-8)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (CorrectionSection(kind="truncate", high=1.05), -0.0394443085),
        (CorrectionSection(kind="mask", level="sequence", low=0.0, high=3.0), 0.0026310273),
        (CorrectionSection(kind="mask", level="sequence", low=0.0, high=1.05), -0.1215661173),
        (CorrectionSection(), -0.0477859505),
    ],
)
def test_a_correction_matches_its_formula(settings: CorrectionSection, expected: float):
    weight = correction_weights(OLD[MASK], SAMPLER[MASK], ROW, 8, settings)
    gain = clipped_gain(ratio(LOGP, OLD), NORMALISED[:, None], 0.2, 0.28)[MASK]
    assert flat_loss(gain * weight, Aggregation.TOKEN_MEAN) == pytest.approx(expected, abs=1e-8)


def test_a_token_without_the_samplers_word_is_not_corrected():
    unknown = torch.full_like(OLD[MASK], float("nan"))
    for kind in ("truncate", "mask"):
        assert correction_weights(OLD[MASK], unknown, ROW, 8, CorrectionSection(kind=kind)).eq(1).all()


def test_equal_weights_are_fully_effective_and_one_of_many_is_not():
    def share(*parts: Tensor) -> float:
        tally = Tally()
        for part in parts:
            tally.weigh("share", part)
        return tally.summary()["share"]

    assert share(torch.full((10,), 0.3)) == pytest.approx(1.0)
    assert share(torch.eye(10)[0]) == pytest.approx(0.1)
    assert share(torch.eye(10)[0, :3], torch.eye(10)[0, 3:]) == pytest.approx(0.1)  # in two micro-batches
    assert share(torch.zeros(10)) == 0


def test_the_straight_through_estimate_has_the_value_of_one_and_the_gradient_of_the_other():
    logp = LOGP.clone().requires_grad_()
    found = k3_straight_through(logp, REFERENCE)
    torch.testing.assert_close(found.detach(), k3(LOGP, REFERENCE))
    found.sum().backward()
    torch.testing.assert_close(logp.grad, LOGP - REFERENCE)
