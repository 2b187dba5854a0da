"""What must hold of a step, whatever the model."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from rewarders.errors import NonFiniteLoss
from trainer.algorithms import Cispo, Dapo, DrGrpo, Gdpo, Grpo, Gspo, ReinforcePlusPlus, Rloo
from trainer.config import CorrectionSection, ModelSection, OptimSection
from trainer.learner import Learner, StepSettings
from trainer.logprobs import batch_logprobs
from trainer.models import load_policy
from trainer.optim import build_optimizer
from trainer.packing import Cut
from trainer.rollouts import Rollout, pack
from trainer.samplers import SampleRequest
from trainer.samplers.hf import HfSampler
from trainer.step import train_step as learn

ALGORITHMS = [
    Grpo(name="grpo"),
    DrGrpo(name="dr_grpo"),
    Dapo(name="dapo", dual_clip=3.0),
    Gdpo(name="gdpo"),
    Gspo(name="gspo"),
    Cispo(name="cispo"),
    ReinforcePlusPlus(name="reinforce_pp", baseline=True),
    Rloo(name="rloo"),
]
NO_CORRECTION = CorrectionSection()
PENALISED = [
    Grpo(name="grpo", beta=0.1),
    Grpo(name="grpo", beta=0.1, kl="k3_straight_through"),
    Dapo(name="dapo", entropy_bonus=0.1),
]
REWARDS = [1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 1.0]
LENGTHS = [5, 2, 7, 1, 3, 3, 6, 4]


def settings(algorithm=ALGORITHMS[0], micro_batch=64, max_grad_norm=1e9, correction=NO_CORRECTION):
    return StepSettings(
        algorithm=algorithm,
        correction=correction,
        temperature=1.0,
        max_new_tokens=8,
        cut=Cut(micro_batch),
        max_grad_norm=max_grad_norm,
    )


def train_step(model, optimizer, batch, chosen, reference=None):
    return learn(Learner(model, optimizer, chosen, reference), batch).metrics


def weights_of(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def moved(model, batch, *args, **kwargs):
    """The weights after one plain descent step of length 1 from the model, which stays as it is."""
    model = copy.deepcopy(model)
    metrics = train_step(model, torch.optim.SGD(model.parameters(), lr=1.0), batch, *args, **kwargs)
    return weights_of(model), metrics


def still(model, algorithm):
    """A learner that moves nothing."""
    return Learner(model, torch.optim.SGD(model.parameters(), lr=0.0), settings(algorithm))


def equal_bits(before, after):
    return all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "algorithm", [*ALGORITHMS, *PENALISED], ids=lambda a: f"{a.name} {a.beta} {a.kl} {a.entropy_bonus}"
)
@pytest.mark.parametrize("micro_batch", [1, 4, 6])
def test_the_micro_batch_changes_no_gradient(policy, make_batch, algorithm, micro_batch):
    batch, reference = make_batch(REWARDS, LENGTHS), copy.deepcopy(policy.model)
    with torch.no_grad():
        policy.model.model.norm.weight.mul_(1.3)
    whole, _ = moved(policy.model, batch, settings(algorithm), reference)
    cut, _ = moved(policy.model, batch, settings(algorithm, micro_batch), reference)
    for name in whole:
        torch.testing.assert_close(cut[name], whole[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_on_policy_the_gradient_is_reinforce_with_a_baseline(policy, make_batch, algorithm):
    batch = make_batch(REWARDS, LENGTHS)
    after, metrics = moved(policy.model, batch, settings(algorithm))
    advantage = learn(still(policy.model, algorithm), batch).advantage
    objective = torch.tensor(0.0)
    for row, length in enumerate(LENGTHS):
        size = int(batch.prompt_length[batch.group[row]])
        prompt = batch.prompts[batch.group[row]][-size:]
        ids = torch.cat([prompt, batch.tokens[row, :length]])[None]
        logp = policy.model(input_ids=ids).logits[0, size - 1 : -1].log_softmax(-1)
        chosen = logp.gather(1, batch.tokens[row, :length, None]).sum()
        shares = {**dict.fromkeys(("grpo", "gdpo", "gspo"), 1 / (8 * length)), "dr_grpo": 1 / (8 * 8)}
        share = shares.get(algorithm.name, 1 / sum(LENGTHS))
        objective = objective + advantage[row] * chosen * share
    objective.backward()
    for name, weight in policy.model.named_parameters():
        torch.testing.assert_close(after[name] - weight.detach(), weight.grad, rtol=1e-3, atol=1e-5)
    assert metrics["stepped"] == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_an_unscored_rollout_changes_nothing(policy, make_batch, algorithm):
    with_fault = make_batch([1.0, 0.0, 0.5, None, 0.0, 0.0, None, 1.0], [5, 2, 7, 8, 3, 3, 6, 4])
    without = with_fault.rows(~with_fault.reward.isnan())
    changed, metrics = moved(policy.model, with_fault, settings(algorithm))
    expected, expected_metrics = moved(policy.model, without, settings(algorithm))
    assert equal_bits(changed, expected)
    assert metrics == expected_metrics


def test_an_unscored_rollout_has_no_advantage_of_its_own(policy, make_batch):
    found = learn(still(policy.model, ALGORITHMS[1]), make_batch([1.0, 0.0, None, 0.5], [1, 1, 1, 1])).advantage
    assert math.isnan(found[2])
    assert found[[0, 1, 3]].tolist() == [0.5, -0.5, 0.0]


@pytest.mark.parametrize("rewards", [[1.0] * 4 + [0.1] * 4, [None] * 8])
def test_a_batch_without_signal_leaves_every_weight_and_moment_alone(policy, make_batch, rewards):
    optimizer = build_optimizer(policy.model, OptimSection(lr=0.1, weight_decay=0.1))
    train_step(policy.model, optimizer, make_batch(REWARDS, LENGTHS), settings())
    before, momentum = weights_of(policy.model), copy.deepcopy(optimizer.state_dict()["state"])
    assert train_step(policy.model, optimizer, make_batch(rewards, LENGTHS), settings()) == {"stepped": 0.0}
    assert equal_bits(before, weights_of(policy.model))
    for index, moments in optimizer.state_dict()["state"].items():
        assert all(torch.equal(moments[name], momentum[index][name]) for name in moments)


def test_a_unanimous_group_still_counts_in_the_denominator(policy, make_batch):
    alone = make_batch(REWARDS[:4], LENGTHS[:4])
    diluted = make_batch([*REWARDS[:4], 1.0, 1.0, 1.0, 1.0], [*LENGTHS[:4], 4, 4, 4, 4])
    before = weights_of(policy.model)
    strong, _ = moved(policy.model, alone, settings())
    weak, _ = moved(policy.model, diluted, settings())
    for name in before:
        torch.testing.assert_close(2 * (weak[name] - before[name]), strong[name] - before[name], rtol=1e-3, atol=1e-6)


def test_without_signal_the_kl_penalty_still_pulls_back(policy, make_batch):
    reference = copy.deepcopy(policy.model)
    with torch.no_grad():
        policy.model.model.norm.weight.mul_(1.5)
    batch, algorithm = make_batch([1.0] * 8, LENGTHS), Grpo(name="grpo", beta=1.0)
    model = copy.deepcopy(policy.model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005)
    kl = [train_step(model, optimizer, batch, settings(algorithm), reference)["kl"] for _ in range(5)]
    assert kl == sorted(kl, reverse=True)
    assert kl[-1] < 0.9 * kl[0]


def test_at_the_reference_the_divergence_is_zero(policy, make_batch):
    batch, reference = make_batch(REWARDS, LENGTHS), copy.deepcopy(policy.model)
    _, metrics = moved(policy.model, batch, settings(Grpo(name="grpo", beta=0.1)), reference)
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-9)


def test_several_optimiser_steps_meet_the_clip(policy, make_batch):
    algorithm = Dapo(name="dapo", epochs=4, minibatches=2)
    model = copy.deepcopy(policy.model)
    optimizer = build_optimizer(model, OptimSection(lr=0.02))
    metrics = train_step(model, optimizer, make_batch(REWARDS, LENGTHS), settings(algorithm))
    assert metrics["stepped"] == 8
    assert 0 < metrics["clip_share"] < 1


def test_a_loss_that_is_not_finite_stops_before_the_weights_move(policy, make_batch):
    with torch.no_grad():
        policy.model.model.norm.weight[0] = math.inf
    optimizer = build_optimizer(policy.model, OptimSection(lr=0.1))
    before = weights_of(policy.model)
    with pytest.raises(NonFiniteLoss, match="loss is nan"):
        train_step(policy.model, optimizer, make_batch(REWARDS, LENGTHS), settings())
    assert equal_bits(before, weights_of(policy.model))


def test_the_gradient_is_clipped_and_its_norm_reported_before(policy, make_batch):
    batch = make_batch(REWARDS, LENGTHS)
    before = weights_of(policy.model)
    after, metrics = moved(policy.model, batch, settings(max_grad_norm=0.01))
    length = torch.cat([(after[name] - before[name]).flatten() for name in before]).norm()
    assert length == pytest.approx(0.01, rel=1e-2)
    assert metrics["grad_norm"] > 0.01


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_a_four_armed_bandit_is_learnt(model_path, make_task, algorithm):
    policy = load_policy(ModelSection(path=str(model_path), device="cpu"))
    arms = policy.tokenizer.convert_tokens_to_ids(["a", "b", "c", "d"])
    sampler = HfSampler(policy.model, stop_ids=policy.stop_ids)
    optimizer = build_optimizer(policy.model, OptimSection(lr=0.02))
    prompt, task = [4, 6, 2, 5], make_task()
    for step in range(60):
        request = SampleRequest(
            group_size=64, max_new_tokens=1, temperature=1.0, seed=f"bandit/{step}", weight_version=str(step)
        )
        (samples,) = sampler.sample([prompt], request)
        rollouts = [Rollout(task, tuple(prompt), 0, i, sample, "") for i, sample in enumerate(samples)]
        paid = {arm: place / 3 for place, arm in enumerate(arms)}  # the last arm is best; other tokens pay nothing
        rewards = [paid.get(sample.tokens[0], 0.0) for sample in samples]
        parts = [{"whole": (reward, 1.0)} for reward in rewards]
        train_step(policy.model, optimizer, pack(rollouts, rewards, torch.device("cpu"), parts), settings(algorithm))
    odds = policy.model(input_ids=torch.tensor([prompt])).logits[0, -1].softmax(-1)
    assert odds[arms[3]] > 0.95


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_where_sampler_and_trainer_agree_a_correction_changes_nothing(policy, make_batch, algorithm):
    batch = make_batch(REWARDS, LENGTHS)
    exact = batch_logprobs(policy.model, batch, temperature=1.0, cut=Cut(64))
    batch = replace(batch, sampler_logp=exact)
    plain, _ = moved(policy.model, batch, settings(algorithm))
    for kind in ("truncate", "mask"):
        corrected, metrics = moved(
            policy.model, batch, settings(algorithm, correction=CorrectionSection(kind=kind, level="sequence"))
        )
        assert metrics["correction_dropped"] == 0
        assert metrics["correction_effective"] == pytest.approx(1.0, abs=1e-5)
        for name in plain:
            torch.testing.assert_close(corrected[name], plain[name], rtol=1e-4, atol=1e-6)


def test_tokens_that_the_sampler_would_hardly_have_drawn_are_masked(policy, make_batch):
    batch = make_batch(REWARDS, LENGTHS)
    exact = batch_logprobs(policy.model, batch, temperature=1.0, cut=Cut(64))
    shifted = replace(batch, sampler_logp=exact - 2.0)
    _, metrics = moved(policy.model, shifted, settings(correction=CorrectionSection(kind="mask", high=3.0)))
    assert metrics["correction_dropped"] == 1.0
    weights, _ = moved(policy.model, shifted, settings(correction=CorrectionSection(kind="mask", high=3.0)))
    assert equal_bits(weights_of(policy.model), weights)


def test_a_batch_that_has_moved_the_policy_too_far_ends_its_passes(policy, make_batch):
    batch = make_batch(REWARDS, LENGTHS)
    eager = Grpo(name="grpo", epochs=4)
    _, all_of_them = moved(policy.model, batch, settings(eager))
    _, some = moved(policy.model, batch, settings(eager.model_copy(update={"target_kl": 1e-9})))
    assert (all_of_them["stepped"], some["stepped"]) == (4.0, 2.0)  # the first step is on policy


def test_an_entropy_bonus_makes_the_policy_less_sure_where_rewards_say_nothing(policy, make_batch):
    batch = make_batch([1.0] * 8, LENGTHS)
    model = copy.deepcopy(policy.model)
    seen = []
    for _ in range(3):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        seen.append(train_step(model, optimizer, batch, settings(Dapo(name="dapo", entropy_bonus=1.0)))["entropy"])
    assert seen[2] > seen[1] > seen[0]
