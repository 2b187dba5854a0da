"""PPO's critic, its warm-up and the streams beside it, on a policy of a few thousand weights."""

import copy
import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from rewarders.errors import CheckpointMismatch, ConfigError, NonFiniteLoss
from trainer import checkpoint
from trainer.algorithms import Dapo, DrGrpo, Gdpo, Grpo, Ppo
from trainer.config import CriticSection, ModelSection, OptimSection, PretrainingSection, TrainConfig
from trainer.critic import Critic, load_value_model, token_values
from trainer.learner import Learner, StepSettings, build_learner, set_learning_rates
from trainer.models import load_policy
from trainer.optim import build_optimizer
from trainer.packed import ATTENTION
from trainer.packing import Cut
from trainer.pretraining import load_pretraining
from trainer.rollouts import Rollout, pack
from trainer.samplers import SampleRequest
from trainer.samplers.hf import HfSampler
from trainer.step import train_step
from trainer.tiny import build_tiny_model

REWARDS = [1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 1.0]
LENGTHS = [5, 2, 7, 1, 3, 3, 6, 4]
PPO = Ppo(name="ppo")
PROMPT = (4, 6, 2, 5)


def settings(algorithm=PPO, micro_batch=64):
    return StepSettings(algorithm=algorithm, temperature=1.0, max_new_tokens=8, cut=Cut(micro_batch), max_grad_norm=1e9)


@pytest.fixture
def model_section(model_path):
    return ModelSection(path=str(model_path), device="cpu")


@pytest.fixture
def make_learner(policy, model_section):
    """A learner of plain descent steps; `kind` makes its optimisers."""

    def make(algorithm=PPO, *, micro_batch=64, lr=0.1, kind=torch.optim.SGD, **critic):
        chosen = CriticSection(**critic)
        value_model = load_value_model(chosen, model_section, policy.model)
        model = copy.deepcopy(policy.model)
        return Learner(
            model,
            kind(model.parameters(), lr=lr),
            settings(algorithm, micro_batch),
            copy.deepcopy(policy.model) if algorithm.beta else None,
            Critic(value_model, kind(value_model.parameters(), lr=lr), chosen) if algorithm.name == "ppo" else None,
        )

    return make


def drawn(sampler, task, step, *, rows, tokens):
    request = SampleRequest(
        group_size=rows, max_new_tokens=tokens, temperature=1.0, seed=str(step), weight_version=str(step)
    )
    (samples,) = sampler.sample([PROMPT], request)
    return [Rollout(task, PROMPT, 0, place, sample, "") for place, sample in enumerate(samples)]


def weights_of(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def same(before, after):
    return all(torch.equal(before[name], after[name]) for name in before)


def test_a_critic_made_of_the_policy_expects_nothing_at_first(make_learner, make_batch):
    batch = make_batch(REWARDS, LENGTHS)
    assert not make_learner().critic.values(batch, Cut(3)).any()


def test_values_are_those_of_the_plain_forward(make_learner, make_batch):
    batch, critic = make_batch(REWARDS, LENGTHS), make_learner().critic
    torch.nn.init.normal_(critic.model.score.weight)
    found = critic.values(batch, Cut(3))
    for row, length in enumerate(LENGTHS):
        size = int(batch.prompt_length[batch.group[row]])
        prompt = batch.prompts[batch.group[row]][-size:]
        hidden = critic.model.base_model(input_ids=torch.cat([prompt, batch.tokens[row, :length]])[None])
        expected = critic.model.score(hidden.last_hidden_state)[0, size - 1 : -1, 0]
        torch.testing.assert_close(found[row, :length], expected, rtol=1e-4, atol=1e-5)
        assert not found[row, length:].any()


def test_the_critic_learns_what_to_expect(make_learner, make_batch):
    learner = make_learner(kind=torch.optim.Adam, lr=0.01, value_clip=None, warmup_steps=10**6)
    batch = make_batch(REWARDS, LENGTHS)
    seen = [train_step(learner, batch, step + 1).metrics for step in range(60)]
    assert seen[-1]["value_loss"] < 0.2 * seen[0]["value_loss"]
    assert seen[-1]["value_explained"] > 0.6 > seen[0]["value_explained"]


def test_while_the_critic_warms_up_the_policy_stays_as_it_is(make_learner, make_batch):
    learner, batch = make_learner(warmup_steps=2), make_batch(REWARDS, LENGTHS)
    before, critic = weights_of(learner.model), weights_of(learner.critic.model)
    metrics = train_step(learner, batch, 2).metrics
    assert metrics["stepped"] == 0
    assert same(before, weights_of(learner.model))
    assert not same(critic, weights_of(learner.critic.model))
    assert train_step(learner, batch, 3).metrics["stepped"] == 1
    assert not same(before, weights_of(learner.model))


@pytest.mark.parametrize("algorithm", [PPO, Ppo(name="ppo", beta=0.3), Ppo(name="ppo", epochs=2, minibatches=2)])
@pytest.mark.parametrize("micro_batch", [1, 3])
def test_the_micro_batch_changes_no_gradient(make_learner, make_batch, algorithm, micro_batch):
    batch = make_batch(REWARDS, LENGTHS)
    whole, cut = make_learner(algorithm), make_learner(algorithm, micro_batch=micro_batch)
    for learner in (whole, cut):
        train_step(learner, batch)
    for model in ("model", "critic.model"):
        parts = [weights_of(model_of(learner, model)) for learner in (whole, cut)]
        for name in parts[0]:
            torch.testing.assert_close(parts[1][name], parts[0][name], rtol=1e-4, atol=1e-6)


def model_of(learner, name):
    return learner.critic.model if name == "critic.model" else learner.model


def test_an_unscored_rollout_changes_nothing(make_learner, make_batch):
    with_fault = make_batch([1.0, 0.0, 0.5, None, 0.0, 0.0, None, 1.0], [5, 2, 7, 8, 3, 3, 6, 4])
    without = with_fault.rows(~with_fault.reward.isnan())
    changed, expected = make_learner(), make_learner()
    found = train_step(changed, with_fault)
    assert found.metrics == train_step(expected, without).metrics
    assert same(weights_of(changed.model), weights_of(expected.model))
    assert same(weights_of(changed.critic.model), weights_of(expected.critic.model))
    assert found.advantage.isnan().tolist() == with_fault.reward.isnan().tolist()


@pytest.mark.parametrize(
    "algorithm",
    [Ppo(name="ppo", beta=1.0), DrGrpo(name="dr_grpo", beta=1.0, kl="k1", kl_in="reward")],
    ids=lambda a: a.name,
)
def test_without_any_reward_a_penalty_in_the_reward_leads_back_to_the_reference(make_learner, make_task, algorithm):
    learner = make_learner(algorithm, kind=torch.optim.Adam, lr=0.003)
    with torch.no_grad():
        learner.model.model.norm.weight.mul_(1.6)
    sampler = HfSampler(learner.model, stop_ids=[2])
    seen = []
    for step in range(30):
        rollouts = drawn(sampler, make_task(), step, rows=256, tokens=3)
        batch = pack(rollouts, [0.5] * len(rollouts), torch.device("cpu"))
        seen.append(train_step(learner, batch, step + 1).metrics["kl_sequence"])
    assert sum(seen[-5:]) < 0.6 * sum(seen[:5])


def test_a_penalty_without_a_gradient_of_its_own_is_refused():
    with pytest.raises(ValueError, match="k1 as a loss has a gradient of 0"):
        Grpo(name="grpo", beta=1.0, kl="k1")
    with pytest.raises(ValueError, match="no gradient to pass through"):
        Grpo(name="grpo", kl="k3_straight_through", kl_in="reward")
    for divides in (Gdpo(name="gdpo"), Grpo(name="grpo")):
        with pytest.raises(ValueError, match="part of the spread of rewards"):
            type(divides)(name=divides.name, kl_in="reward")


def test_a_penalty_in_the_reward_is_the_log_ratio_of_the_sequence(make_learner, make_batch):
    learner = make_learner(DrGrpo(name="dr_grpo", beta=0.5, kl="k1", kl_in="reward"))
    with torch.no_grad():
        learner.model.model.norm.weight.mul_(1.4)
    batch = make_batch([0.0] * 8, LENGTHS)
    found = train_step(learner, batch).advantage
    assert found[:4].sum().abs() < 1e-6  # rewards are equal: only the penalty tells the group apart
    assert found.abs().min() > 1e-4


def test_the_weight_of_the_penalty_follows_the_target(make_learner, make_batch):
    algorithm = Ppo(name="ppo", beta=0.5, kl_target=0.01, kl_horizon=8)
    learner, batch = make_learner(algorithm, lr=0.0), make_batch(REWARDS, LENGTHS)
    with torch.no_grad():
        learner.model.model.norm.weight.mul_(1.4)
    metrics = [train_step(learner, batch).metrics for _ in range(2)]
    expected = 1.2 if metrics[0]["kl_sequence"] > 0.012 else 0.8
    assert [seen["kl_weight"] for seen in metrics] == pytest.approx([0.5, 0.5 * expected])
    assert learner.kl_weight == pytest.approx(0.5 * expected**2)


def test_while_the_critic_warms_up_the_weight_of_the_penalty_stays(make_learner, make_batch):
    algorithm = Ppo(name="ppo", beta=0.5, kl_target=0.01, kl_horizon=8)
    learner = make_learner(algorithm, warmup_steps=2)
    for step in (1, 2):
        train_step(learner, make_batch(REWARDS, LENGTHS), step)
        assert learner.kl_weight == 0.5
    train_step(learner, make_batch(REWARDS, LENGTHS), 3)
    assert learner.kl_weight == 0.4


def test_the_policys_schedule_begins_when_the_critic_is_warm(make_learner):
    config = TrainConfig.model_validate(
        {
            "run": {"dir": "unused", "steps": 9},
            "model": {"path": "unused"},
            "data": {"tasks": "t"},
            "algorithm": {"name": "ppo"},
            "critic": {"warmup_steps": 3, "lr": 1.0},
            "optim": {"lr": 1.0, "warmup_steps": 4},
        }
    )
    learner = make_learner()
    assert [set_learning_rates(learner, config, step) for step in (1, 3, 4, 7)] == [0.0, 0.0, 0.25, 1.0]
    assert learner.critic.optimizer.param_groups[0]["lr"] == 1.0


def test_a_critic_that_overflows_stops_before_anything_moves(make_learner, make_batch):
    learner = make_learner()
    with torch.no_grad():
        learner.critic.model.score.weight[0, 0] = math.inf
    before = weights_of(learner.model)
    with pytest.raises(NonFiniteLoss):
        train_step(learner, make_batch(REWARDS, LENGTHS))
    assert same(before, weights_of(learner.model))


def test_truncated_completions_can_be_left_out_of_the_loss(make_learner, make_batch):
    batch = make_batch(REWARDS, LENGTHS)
    cut = torch.tensor([False, True, False, False, False, False, True, False])
    batch = replace(batch, truncated=cut)
    algorithm = Grpo(name="grpo", mask_truncated=True)
    masked, whole = make_learner(algorithm), make_learner(Grpo(name="grpo"))
    found = train_step(masked, batch)
    expected = train_step(whole, batch)
    torch.testing.assert_close(found.advantage, expected.advantage)  # they still count in their group
    assert found.metrics["loss"] != expected.metrics["loss"]


def test_what_ppo_does_not_learn_from_is_no_part_of_the_spread_of_advantages(make_learner, make_batch):
    batch = make_batch([1.0, 1.0, 0.9, 0.8, -9.0, -9.0, -9.0, -9.0], LENGTHS)
    cut = torch.tensor([False] * 4 + [True] * 4)
    found = train_step(make_learner(Ppo(name="ppo", mask_truncated=True)), replace(batch, truncated=cut)).advantage
    assert found[:4].min() < 0 < found[:4].max()
    assert found[4:].isnan().all()


def test_a_completion_near_the_longest_length_is_punished(make_learner, make_batch):
    learner = make_learner(Dapo(name="dapo", overlong_buffer=4))
    found = train_step(learner, make_batch([1.0] * 4, [2, 4, 6, 8])).advantage
    assert found[0] == found[1]
    assert found[1] > found[2] > found[3]


def test_ppo_learns_a_four_armed_bandit(model_path, model_section, make_task):
    policy = load_policy(model_section)
    arms = policy.tokenizer.convert_tokens_to_ids(["a", "b", "c", "d"])
    value_model = load_value_model(CriticSection(), model_section, policy.model)
    critic = Critic(value_model, build_optimizer(value_model, OptimSection(lr=0.02)), CriticSection())
    learner = Learner(policy.model, build_optimizer(policy.model, OptimSection(lr=0.02)), settings(), critic=critic)
    sampler = HfSampler(policy.model, stop_ids=policy.stop_ids)
    for step in range(60):
        rollouts = drawn(sampler, make_task(), step, rows=64, tokens=1)
        paid = {arm: place / 3 for place, arm in enumerate(arms)}
        rewards = [paid.get(rollout.sample.tokens[0], 0.0) for rollout in rollouts]
        train_step(learner, pack(rollouts, rewards, torch.device("cpu")), step + 1)
    odds = policy.model(input_ids=torch.tensor([PROMPT])).logits[0, -1].softmax(-1)
    assert odds[arms[3]] > 0.95


def reward_model(path, vocabulary=None, labels=1):
    """A scalar reward model in the usual form, with a head of its own."""
    charset = "0123456789+=abcd" if vocabulary is None else vocabulary
    build_tiny_model(path, charset, hidden=16, layers=2, heads=2, seed=11)
    model = AutoModelForSequenceClassification.from_pretrained(path, num_labels=labels)
    torch.nn.init.normal_(model.score.weight)
    model.save_pretrained(path)
    return model


def test_a_reward_model_is_where_a_critic_may_start_from(tmp_path, model_section, policy, make_batch):
    expected = reward_model(tmp_path).eval()
    expected.set_attn_implementation(ATTENTION)
    critic = load_value_model(CriticSection(init=str(tmp_path)), model_section, policy.model)
    batch = make_batch(REWARDS, LENGTHS)
    torch.testing.assert_close(token_values(critic, batch), token_values(expected, batch))
    assert token_values(critic, batch).abs().min() > 0


def test_a_critic_that_reads_packed_rows_otherwise_is_refused(tmp_path, model_section, policy, monkeypatch):
    """As an attention would that knows nothing of them."""
    reward_model(tmp_path)
    plain = AutoModelForSequenceClassification.from_pretrained

    def eager(*arguments, **options):
        return plain(*arguments, **{**options, "attn_implementation": "eager"})

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", eager)
    with pytest.raises(ConfigError, match=r"critic\.init = .*does not take packed rows"):
        load_value_model(CriticSection(init=str(tmp_path)), model_section, policy.model)


def test_a_model_that_is_no_critic_is_refused(tmp_path, model_path, model_section, policy):
    reward_model(tmp_path / "three", labels=3)
    reward_model(tmp_path / "other", vocabulary="01")
    for name, message in (
        ("three", "is no scalar reward model"),
        (str(model_path), "is no scalar reward model"),  # a language model has no head for it
        ("absent", r"critic\.init = .*absent: "),
        ("other", "vocabulary of 8 tokens and the policy one of 22"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_value_model(CriticSection(init=str(tmp_path / name)), model_section, policy.model)


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    rows = [[{"role": "user", "content": f"{a}"}, {"role": "assistant", "content": "ab" * (1 + a)}] for a in range(4)]
    path.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    return path


def test_pretraining_keeps_a_habit_that_rewards_say_nothing_about(make_learner, make_batch, policy, texts):
    section = PretrainingSection(conversations=texts, batch=4)
    learner = make_learner(Grpo(name="grpo"), kind=torch.optim.Adam, lr=0.01)
    learner.pretraining = load_pretraining(section, policy.tokenizer, policy.stop_ids, 0)
    seen = [train_step(learner, make_batch(REWARDS, LENGTHS), step + 1).metrics["ptx_loss"] for step in range(20)]
    assert seen[-1] < 0.5 * seen[0]


@pytest.mark.parametrize("micro_batch", [1, 3])
def test_the_streams_do_not_thin_each_other(make_learner, make_batch, policy, texts, micro_batch):
    """Either has the gradient it has alone, however many tokens the other one has."""
    section = PretrainingSection(conversations=texts, batch=4, weight=2.0)
    examples = load_pretraining(section, policy.tokenizer, policy.stop_ids, 0)
    start = weights_of(make_learner().model)

    def moves(rewards, pretraining):
        learner = make_learner(Grpo(name="grpo", entropy_bonus=1e-12), micro_batch=micro_batch)
        learner.pretraining = pretraining
        train_step(learner, make_batch(rewards, LENGTHS))
        after = weights_of(learner.model)
        return {name: after[name] - start[name] for name in start}

    both, rewards, texts_alone = moves(REWARDS, examples), moves(REWARDS, None), moves([0.0] * 8, examples)
    for name in both:
        torch.testing.assert_close(both[name], rewards[name] + texts_alone[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("micro_batch", [1, 3, 64])
def test_texts_are_learnt_though_no_group_disagrees_and_their_loss_is_said_whole(
    make_learner, make_batch, policy, texts, micro_batch
):
    section = PretrainingSection(conversations=texts, batch=4)
    examples = load_pretraining(section, policy.tokenizer, policy.stop_ids, 0)

    def seen(size):
        learner = make_learner(Grpo(name="grpo"), micro_batch=size)
        learner.pretraining = examples
        return train_step(learner, make_batch([1.0] * 8, LENGTHS)).metrics

    assert seen(micro_batch)["stepped"] == 1
    assert seen(micro_batch)["ptx_loss"] == pytest.approx(seen(2)["ptx_loss"], rel=1e-4)


def test_more_rows_a_step_than_there_are_is_an_error(texts, policy):
    with pytest.raises(ConfigError, match=r"ptx\.batch = 9, and .* has 4 rows"):
        load_pretraining(PretrainingSection(conversations=texts, batch=9), policy.tokenizer, policy.stop_ids, 0)


def config_of(model, run_dir, algorithm):
    return TrainConfig.model_validate(
        {
            "run": {"dir": run_dir, "steps": 9},
            "model": {"path": str(model), "device": "cpu"},
            "data": {"tasks": "t"},
            "algorithm": algorithm,
        }
    )


def saved(learner, policy, run_dir):
    """A checkpoint of all that a run keeps of what learns."""
    return checkpoint.save(
        run_dir,
        policy,
        learner.optimizer,
        step=1,
        identity={},
        offsets={},
        keep=1,
        critic=learner.critic,
        kl_weight=learner.beta,
        reference=learner.reference_digest,
    )


def test_a_run_does_not_go_on_against_another_reference(tmp_path, policy, model_path):
    model = tmp_path / "model"
    shutil.copytree(model_path, model)
    config = config_of(model, tmp_path, {"name": "grpo", "beta": 0.1})
    learner = build_learner(config, policy, None)
    path = saved(learner, policy, tmp_path)
    build_learner(config, policy, checkpoint.read(path))
    build_tiny_model(model, "0123456789+=abcd", hidden=16, layers=2, heads=2, seed=8)
    with pytest.raises(CheckpointMismatch, match="has other weights than when the run began"):
        build_learner(config, policy, checkpoint.read(path))


def test_a_learner_comes_back_from_a_checkpoint_bit_for_bit(tmp_path, policy, model_path, make_batch):
    config = config_of(model_path, tmp_path, {"name": "ppo", "beta": 0.1, "kl_target": 1.0, "kl_horizon": 10})
    batch = make_batch(REWARDS, LENGTHS)
    learner = build_learner(config, policy, None)
    train_step(learner, batch, 1)
    path = saved(learner, policy, tmp_path)
    loaded = load_policy(config.model, path)
    again = build_learner(config, loaded, checkpoint.read(path))
    metrics = [train_step(each, batch, 2).metrics for each in (learner, again)]
    assert metrics[0] == metrics[1]
    assert same(weights_of(learner.model), weights_of(again.model))
    assert same(weights_of(learner.critic.model), weights_of(again.critic.model))
    assert learner.kl_weight == again.kl_weight != 0.1
