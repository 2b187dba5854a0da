"""Golden values: two groups of four, from the papers' formulas in float64."""

import pytest
import torch

from trainer.advantages import dr_grpo, gdpo, grpo, rloo, whitened

REWARD = torch.tensor([1, 0, 0, 1, 0.5, 0, 0, 1], dtype=torch.float64)
GROUP = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])


def close(found: torch.Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-8)


def test_grpo_matches_the_formula_with_the_unbiased_standard_deviation():
    a, b, c, d = 0.8658754298, 0.2610619499, -0.7831858496, 1.3053097494
    close(grpo(REWARD, GROUP, 1e-4), [a, -a, -a, a, b, c, c, d])


def test_dr_grpo_only_centres():
    close(dr_grpo(REWARD, GROUP), [0.5, -0.5, -0.5, 0.5, 0.125, -0.375, -0.375, 0.625])


def test_rloo_leaves_the_rollout_itself_out_of_its_baseline():
    close(rloo(REWARD, GROUP), [2 / 3, -2 / 3, -2 / 3, 2 / 3, 1 / 6, -0.5, -0.5, 5 / 6])


def test_groups_may_come_in_any_order():
    order = torch.tensor([5, 0, 7, 2, 1, 6, 3, 4])
    torch.testing.assert_close(grpo(REWARD[order], GROUP[order], 1e-4), grpo(REWARD, GROUP, 1e-4)[order])


@pytest.mark.parametrize("reward", [0.1, 1 / 3, 0.7])
def test_a_unanimous_group_has_no_advantage_worth_training_on(reward: float):
    same = torch.full((7,), reward, dtype=torch.float64)
    assert grpo(same, torch.zeros(7, dtype=torch.long), 1e-4).abs().max() < 1e-9


@pytest.mark.parametrize("estimator", [dr_grpo, rloo, lambda reward, group: grpo(reward, group, 1e-4)])
def test_a_group_of_one_has_nothing_to_compare_with(estimator):
    close(estimator(torch.tensor([3.0], dtype=torch.float64), torch.tensor([5])), [0.0])


def test_whitened_advantages_have_mean_0_and_deviation_1_over_the_tokens():
    length = torch.tensor([6, 4, 5, 3, 6, 2, 5, 4])
    tokens = whitened(REWARD, length).repeat_interleave(length)
    torch.testing.assert_close(tokens.mean(), torch.tensor(0.0, dtype=torch.float64))
    torch.testing.assert_close(tokens.std(), torch.tensor(1.0, dtype=torch.float64))


def test_whitening_equal_rewards_gives_no_advantage():
    assert whitened(torch.full((4,), 0.5, dtype=torch.float64), torch.tensor([3, 1, 2, 5])).abs().max() < 1e-6


def test_rewards_made_of_different_parts_have_different_advantages():
    parts = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    group = torch.zeros(4, dtype=torch.long)
    found = gdpo(parts, torch.ones_like(parts), group, 1e-4)
    assert parts.sum(1)[0] == parts.sum(1)[1]
    assert found[0] > found[1] > found[2]  # the rarer part says more


def test_a_part_that_all_of_a_group_have_says_nothing():
    parts = torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    group = torch.zeros(3, dtype=torch.long)
    both = gdpo(parts, torch.ones_like(parts), group, 1e-4)
    alone = gdpo(parts[:, 1:], torch.ones(3, 1, dtype=torch.float64), group, 1e-4)
    torch.testing.assert_close(both, alone)


def test_a_weight_scales_what_a_part_says():
    parts = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    weights = torch.tensor([[3.0, 1.0]] * 2, dtype=torch.float64)
    found = gdpo(parts, weights, torch.zeros(2, dtype=torch.long), 1e-4)
    assert found[0] > 0 > found[1]
