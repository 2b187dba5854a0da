"""PPO's credit: golden values in float64, and what must hold whatever the numbers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.advantages import whitened
from trainer.kl_control import adapted
from trainer.losses import clipped_gain, ratio, token_weights, value_loss
from trainer.returns import at_the_end, gae, soft_overlong

I = torch.arange(8, dtype=torch.float64)[:, None]  # noqa: E741 - rows, as the formulas call them
T = torch.arange(6, dtype=torch.float64)
OLD = -0.5 - 0.3 * torch.sin(1 + 0.7 * I + 1.3 * T) - 0.1 * T
LOGP = OLD + 0.35 * torch.sin(0.5 * I - 0.9 * T)
REFERENCE = OLD - 0.2 * torch.cos(0.4 * I + 0.3 * T)
LENGTH = torch.tensor([6, 4, 5, 3, 6, 2, 5, 4])
MASK = LENGTH[:, None] > T
REWARD = torch.tensor([1, 0, 0, 1, 0.5, 0, 0, 1], dtype=torch.float64)
VALUE = 0.2 * torch.cos(0.3 * I + 0.5 * T) * MASK
TOKEN_REWARD = (-0.05 * (OLD - REFERENCE)) * MASK + at_the_end(REWARD, LENGTH, 6)
ADVANTAGE, RETURNS = gae(TOKEN_REWARD, VALUE, MASK, gamma=1.0, gae_lambda=0.95)
WHITE = whitened(ADVANTAGE, MASK)
WEIGHTS = token_weights(MASK, "token_mean", 6)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(ADVANTAGE, [0.5428820779, 0.6077532269, 0.7208027821, 0.8662833254, 1.0209223502, 1.1595213511]),
        pytest.param(RETURNS, [0.7428820779, 0.7832697393, 0.8288632433, 0.8804307657, 0.9376929829, 0.999292628]),
        pytest.param(WHITE, [0.2022877381, 0.3470520612, 0.5993297315, 0.9239793283, 1.2690666915, 1.5783596647]),
    ],
    ids=["advantages", "returns", "whitened"],
)
def test_the_estimate_matches_the_paper(found, expected):
    torch.testing.assert_close(found[0], torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-8)


def test_ppos_losses_match_the_paper():
    policy = -(WEIGHTS * clipped_gain(ratio(LOGP, OLD), WHITE, 0.2, 0.2)).sum()
    value = (WEIGHTS * value_loss(VALUE + 0.4 * torch.sin(I + T), VALUE, RETURNS, 0.2)).sum()
    assert policy.item() == pytest.approx(0.002230779, abs=1e-8)
    assert value.item() == pytest.approx(0.2567362915, abs=1e-8)


def test_the_kl_weight_follows_its_target_in_nats_a_sequence():
    found = [0.2]
    for kl in (3, 6, 6.6, 12):
        found.append(adapted(found[-1], kl, target=6, sequences=256, horizon=10_000))
    assert found[1:] == pytest.approx([0.198976, 0.198976, 0.1994853786, 0.2005067437], abs=1e-9)


def test_a_batch_beyond_the_horizon_never_makes_divergence_pay():
    weight = 0.05
    for kl in (1.0, 1.0, 30.0, 1.0):
        weight = adapted(weight, kl, target=6, sequences=1024, horizon=100)
        assert weight > 0
    assert weight == pytest.approx(0.05 * 0.8 * 0.8 * 1.2 * 0.8)


def test_a_completion_near_the_longest_length_costs_up_to_one():
    lengths = torch.tensor([16384, 18432, 20480, 20481])
    assert soft_overlong(lengths, 20480, 4096).tolist() == [0.0, -0.5, -1.0, -1.0]
    assert soft_overlong(lengths, 20480, 0).tolist() == [0.0] * 4


@st.composite
def episodes(draw):
    rows, places = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    numbers = st.floats(-3, 3)
    table = st.lists(st.lists(numbers, min_size=places, max_size=places), min_size=rows, max_size=rows)
    lengths = draw(st.lists(st.integers(0, places), min_size=rows, max_size=rows))
    mask = torch.tensor(lengths)[:, None] > torch.arange(places)
    return (*(torch.tensor(draw(table), dtype=torch.float64) * mask for _ in range(2)), mask)


@given(episodes(), st.floats(0.5, 1))
def test_with_lambda_one_the_returns_are_the_discounted_sums_of_rewards(episode, gamma):
    reward, value, mask = episode
    _, returns = gae(reward, value, mask, gamma=gamma, gae_lambda=1.0)
    for row in range(len(reward)):
        length = int(mask[row].sum())
        for place in range(length):
            ahead = sum(gamma**k * reward[row, place + k].item() for k in range(length - place))
            assert returns[row, place].item() == pytest.approx(ahead, abs=1e-9)


@given(episodes())
def test_with_lambda_zero_the_estimate_looks_one_step_ahead(episode):
    reward, value, mask = episode
    advantage, _ = gae(reward, value, mask, gamma=0.9, gae_lambda=0.0)
    following = torch.cat([(value * mask)[:, 1:], torch.zeros_like(value[:, :1])], dim=1)
    torch.testing.assert_close(advantage, (reward + 0.9 * following - value) * mask)


@given(episodes(), st.floats(0.1, 1), st.floats(0, 1))
def test_a_critic_that_is_right_leaves_no_advantage(episode, gamma, gae_lambda):
    reward, value, mask = episode
    _, truth = gae(reward, torch.zeros_like(value), mask, gamma=gamma, gae_lambda=1.0)
    advantage, returns = gae(reward, truth, mask, gamma=gamma, gae_lambda=gae_lambda)
    torch.testing.assert_close(advantage, torch.zeros_like(value), atol=1e-9, rtol=0)
    torch.testing.assert_close(returns, truth, atol=1e-9, rtol=0)


@given(episodes(), st.integers(1, 7))
def test_a_place_that_the_policy_did_not_choose_is_passed_over(episode, place):
    reward, value, mask = episode
    place = min(place, reward.shape[1])

    def widened(table, filler):
        column = torch.full_like(table[:, :1], filler)
        return torch.cat([table[:, :place], column, table[:, place:]], dim=1)

    plain, _ = gae(reward, value, mask, gamma=0.9, gae_lambda=0.8)
    wide, _ = gae(widened(reward, 99), widened(value, -7), widened(mask, False), gamma=0.9, gae_lambda=0.8)
    torch.testing.assert_close(wide, widened(plain, 0.0))


def test_a_row_that_was_cut_off_can_be_told_what_was_to_come():
    reward, value, mask = torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool)
    advantage, _ = gae(reward, value, mask, gamma=0.5, gae_lambda=1.0, last_value=torch.tensor([8.0, 0.0]))
    assert advantage.tolist() == [[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]


def test_the_reward_stands_on_the_last_token_and_an_empty_completion_has_none():
    found = at_the_end(torch.tensor([0.5, 2.0, 3.0]), torch.tensor([3, 1, 0]), 3)
    assert found.tolist() == [[0.0, 0.0, 0.5], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(("value", "gradient"), [(0.5, 0.0), (-0.5, -1.5)])
def test_a_value_that_has_moved_far_enough_is_left_alone(value, gradient):
    moving = torch.tensor(value, requires_grad=True)
    value_loss(moving, torch.tensor(0.0), torch.tensor(1.0), 0.2).backward()
    assert moving.grad.item() == pytest.approx(gradient)
