"""What saves memory or time: every one leaves the loss and the gradients what they are, and a resumed run exact."""

import copy
import os
import shutil

import pytest
import torch
from pydantic import ValidationError

from rewarders.errors import CheckpointMismatch, ConfigError
from trainer import checkpoint
from trainer.config import ModelSection, OptimSection, TrainConfig
from trainer.evaluate import as_trained
from trainer.learner import build_learner
from trainer.logprobs import batch_logprobs, completion_logprobs
from trainer.lora import adapted_layers, merged, switched_off
from trainer.masters import MasterAdamW
from trainer.models import load_policy
from trainer.optim import build_optimizer
from trainer.packing import Cut
from trainer.pipeline.snapshots import Snapshots
from trainer.rollouts import Rollout, pack
from trainer.samplers import SampleRequest
from trainer.samplers.hf import HfSampler
from trainer.step import train_step
from trainer.weights import wire_adapter, wire_tensors

REWARDS = [1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 1.0]
LENGTHS = [5, 2, 7, 1, 3, 3, 6, 4]
PROMPT = (4, 6, 2, 5)


@pytest.fixture
def configured(model_path, tmp_path):
    def make(algorithm=None, **sections):
        model = {"path": str(model_path), "device": "cpu", **sections.pop("model", {})}
        optim = {"lr": 0.01, "micro_batch": 3, **sections.pop("optim", {})}
        return TrainConfig.model_validate(
            {
                "run": {"dir": tmp_path / "run", "steps": 4},
                "model": model,
                "data": {"tasks": tmp_path / "none.jsonl"},
                "algorithm": algorithm or {"name": "grpo", "beta": 0.1},
                "sampling": {"max_new_tokens": 8},
                "optim": optim,
                **sections,
            }
        )

    return make


def built(config, found=None):
    adapted = config.lora.rank > 0
    policy = load_policy(config.model, found.path if found and not adapted else None)
    return policy, build_learner(config, policy, found)


def saved(directory, policy, learner, step):
    return checkpoint.save(
        directory, policy, learner.optimizer, step=step, identity={}, offsets={}, keep=9,
        critic=learner.critic, kl_weight=learner.beta, reference=learner.reference_digest,
    )  # fmt: skip


def state(learner):
    models = [learner.model] + ([learner.critic.model] if learner.critic else [])
    masters = [master for _, master in learner.optimizer.pairs] if isinstance(learner.optimizer, MasterAdamW) else []
    return [weight.detach().clone() for model in models for weight in model.parameters()] + masters


def sampled(policy, rows=8, tokens=6):
    request = SampleRequest(group_size=rows, max_new_tokens=tokens, temperature=1.0, seed="1", weight_version="1")
    return HfSampler(policy.model, stop_ids=policy.stop_ids).sample([PROMPT], request)[0]


def gradients(learner, batch):
    """Of one step, caught before the optimiser moves."""
    caught = {}

    def catch(optimizer, *_):
        caught["policy"] = [weight.grad.clone() for group in optimizer.param_groups for weight in group["params"]]
        raise InterruptedError

    hook = learner.optimizer.register_step_pre_hook(catch)
    with pytest.raises(InterruptedError):
        train_step(learner, batch)
    hook.remove()
    return caught["policy"]


OPTIONS = {
    "checkpointing": {"model": {"activation_checkpointing": True}},
    "budget": {"optim": {"micro_batch": 64, "micro_batch_tokens": 10}},
    "offload": {"optim": {"offload": True}},
    "masters": {"model": {"compute": "bfloat16"}},
    "lora": {"lora": {"rank": 4}},
    "all": {
        "model": {"activation_checkpointing": True, "compute": "bfloat16"},
        "optim": {"micro_batch_tokens": 10, "offload": True},
        "lora": {"rank": 4},
    },
}
ALGORITHMS = {"grpo": {"name": "grpo", "beta": 0.1}, "ppo": {"name": "ppo", "epochs": 2}}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("option", OPTIONS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(configured, make_batch, tmp_path, option, algorithm):
    config, batch = configured(ALGORITHMS[algorithm], **copy.deepcopy(OPTIONS[option])), make_batch(REWARDS, LENGTHS)
    policy, learner = built(config)
    train_step(learner, batch, 1)
    saved(tmp_path / "kept", policy, learner, 1)
    train_step(learner, batch, 2)
    _, resumed = built(config, checkpoint.latest(tmp_path / "kept"))
    train_step(resumed, batch, 2)
    for one, other in zip(state(learner), state(resumed), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("option", ["checkpointing", "budget", "offload"])
def test_what_saves_memory_changes_no_gradient(configured, make_batch, option, algorithm):
    batch = make_batch(REWARDS, LENGTHS)
    _, plain = built(configured(ALGORITHMS[algorithm]))
    _, saving = built(configured(ALGORITHMS[algorithm], **copy.deepcopy(OPTIONS[option])))
    for one, other in zip(gradients(plain, batch), gradients(saving, batch), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_checkpointed_layers_are_computed_again_on_the_way_back_and_not_in_the_sampler(configured, make_batch):
    policy, learner = built(configured(model={"activation_checkpointing": True}))
    calls = []
    policy.model.model.layers[0].self_attn.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    found = completion_logprobs(policy.model, make_batch(REWARDS, LENGTHS), temperature=1.0).logp
    assert len(calls) == 1
    found.sum().backward()
    assert len(calls) == 2
    assert sampled(policy) == sampled(load_policy(configured().model))
    copied = copy.deepcopy(policy.model)
    with torch.no_grad():
        copied.model.layers[0].mlp.down_proj.weight.zero_()
    batch = make_batch(REWARDS, LENGTHS)
    pair = [batch_logprobs(model, batch, temperature=1.0, cut=Cut(64)) for model in (copied, learner.model)]
    assert not torch.allclose(*pair)  # a copy computes with its own weights


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="NOT TESTED: no C++ compiler for inductor")
@pytest.mark.filterwarnings("ignore")  # torch's own, which its compiler expects to be able to hide
def test_compiled_layers_have_the_same_gradient(configured, make_batch, tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    batch = make_batch(REWARDS, LENGTHS)
    _, plain = built(configured())
    policy, compiled = built(configured(model={"compile": True, "activation_checkpointing": True}))
    for one, other in zip(gradients(plain, batch), gradients(compiled, batch), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert torch._dynamo.utils.counters["frames"]["ok"] > 0
    assert sampled(policy) == sampled(load_policy(configured().model))


def test_compiling_without_a_compiler_is_refused(configured, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ConfigError, match=r"model\.compile"):
        load_policy(configured(model={"compile": True}).model)


def test_steps_too_small_for_bfloat16_add_up_in_its_masters(configured, make_batch):
    _, learner = built(configured(model={"compute": "bfloat16"}, optim={"lr": 1e-5}))
    before = [master.clone() for _, master in learner.optimizer.pairs]
    batch = make_batch(REWARDS, LENGTHS)
    for step in range(1, 4):
        train_step(learner, batch, step)
    assert {weight.dtype for weight in learner.model.parameters()} == {torch.bfloat16}
    for (weight, master), known in zip(learner.optimizer.pairs, before, strict=True):
        assert master.dtype == torch.float32
        assert torch.equal(weight, master.bfloat16())
        moved = (master - known).abs().max()
        assert 0 < moved < 1e-4


def test_gradients_in_bfloat16_are_those_of_float32_but_for_rounding(configured, make_batch):
    batch = make_batch(REWARDS, LENGTHS)
    _, plain = built(configured())
    _, lowered = built(configured(model={"compute": "bfloat16"}))
    whole, rounded = (torch.cat([grad.flatten() for grad in gradients(one, batch)]) for one in (plain, lowered))
    assert rounded.dtype == torch.float32
    assert torch.cosine_similarity(whole, rounded, dim=0) > 0.999


@pytest.mark.parametrize("option", ["masters", "lora", "all"])
def test_the_sampler_and_the_step_see_one_policy(configured, make_batch, make_task, option):
    policy, learner = built(configured(**copy.deepcopy(OPTIONS[option])))
    train_step(learner, make_batch(REWARDS, LENGTHS), 1)
    rollouts = [Rollout(make_task(), PROMPT, 0, place, sample, "") for place, sample in enumerate(sampled(policy))]
    batch = pack(rollouts, [0.0, 1.0] * 4, torch.device("cpu"))
    found = batch_logprobs(policy.model, batch, temperature=1.0, cut=Cut(64))
    gap = ((found - batch.sampler_logp).abs() * batch.mask).max()
    assert gap < (1e-4 if option == "lora" else 0.05)
    assert ((found - batch.sampler_logp).abs() * batch.mask).sum() / batch.mask.sum() < 0.0104


def test_a_checkpoint_of_bfloat16_holds_the_masters_and_can_be_served(configured, make_batch, tmp_path):
    policy, learner = built(configured(model={"compute": "bfloat16"}))
    train_step(learner, make_batch(REWARDS, LENGTHS), 1)
    path = saved(tmp_path / "kept", policy, learner, 1)
    read = load_policy(ModelSection(path=str(path), device="cpu")).model
    for (_, master), weight in zip(learner.optimizer.pairs, read.parameters(), strict=True):
        assert torch.equal(master, weight)


def test_bfloat16_weights_have_no_masters():
    with pytest.raises(ValidationError, match="set dtype"):
        ModelSection(path="m", dtype="bfloat16", compute="bfloat16")


def test_moments_wait_elsewhere_between_steps_and_move_weights_by_the_same_bits(model_path, make_batch):
    from trainer.offload import offload

    model = load_policy(ModelSection(path=str(model_path), device="cpu")).model
    twin = copy.deepcopy(model)
    optimizers = [build_optimizer(each, OptimSection(lr=0.01)) for each in (model, twin)]
    offload(optimizers[1])
    for _ in range(3):
        for each, optimizer in zip((model, twin), optimizers, strict=True):
            completion_logprobs(each, make_batch(REWARDS, LENGTHS), temperature=1.0).logp.sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert all(map(torch.equal, model.parameters(), twin.parameters()))


def test_moments_are_fetched_before_a_step_and_parked_after_it(model_path):
    """There is one device here, so that the place to wait is one that holds no numbers."""
    from trainer.offload import offload

    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1, fused=True)
    offload(optimizer, "meta")
    weight.grad = torch.ones(3)
    optimizer.step()
    assert {value.device.type for value in optimizer.state[weight].values() if value.dim()} == {"meta"}
    with pytest.raises(NotImplementedError):  # nothing can be fetched from there: it was tried
        optimizer.step()


def test_an_adapter_binds_to_every_linear_layer_and_alone_learns(configured, make_batch):
    policy, learner = built(configured(lora={"rank": 4}))
    names = set(adapted_layers(policy.model))
    assert len(names) == 2 * 7
    assert not any("lm_head" in name for name in names)
    before = {name: weight.detach().clone() for name, weight in policy.model.named_parameters()}
    train_step(learner, make_batch(REWARDS, LENGTHS), 1)
    moved = {name for name, weight in policy.model.named_parameters() if not torch.equal(weight, before[name])}
    assert moved
    assert all("lora_" in name for name in moved)
    assert {name.split(".lora_B")[0] for name in moved if ".lora_B." in name} == names


def test_only_the_targets_are_adapted(configured):
    policy, _ = built(configured(lora={"rank": 2, "targets": ["q_proj", "v_proj"]}))
    assert {name.split(".")[-1] for name in adapted_layers(policy.model)} == {"q_proj", "v_proj"}


@pytest.mark.parametrize("target", ["typo_proj", "embed_tokens", "lm_head", "norm"])
def test_a_target_that_cannot_be_adapted_is_refused_by_name(configured, target):
    with pytest.raises(ConfigError, match=rf"lora\.targets: {target}"):
        built(configured(lora={"rank": 2, "targets": ["q_proj", target]}))


def trained(configured, make_batch, **lora):
    policy, learner = built(configured(lora={"rank": 4, **lora}, optim={"lr": 0.05}))
    for step in range(1, 4):
        train_step(learner, make_batch(REWARDS, LENGTHS), step)
    return policy, learner


@pytest.mark.parametrize("stabilised", [False, True])
def test_merged_weights_are_the_adapted_model(configured, make_batch, tmp_path, model_path, stabilised):
    policy, learner = trained(configured, make_batch, rank_stabilised=stabilised)
    path = saved(tmp_path / "kept", policy, learner, 3)
    served = load_policy(ModelSection(path=str(path), device="cpu"))
    batch = make_batch(REWARDS, LENGTHS)
    start = load_policy(ModelSection(path=str(model_path), device="cpu"))
    ours, theirs, first = (
        batch_logprobs(each.model, batch, temperature=1.0, cut=Cut(64)) for each in (policy, served, start)
    )
    assert (ours - first).abs().max() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert [one.tokens for one in sampled(policy)] == [one.tokens for one in sampled(served)]


def test_what_is_sent_to_servers_has_the_names_and_values_of_the_plain_model(configured, make_batch, model_path):
    policy, _ = trained(configured, make_batch)
    plain = load_policy(ModelSection(path=str(model_path), device="cpu")).model
    sent = dict(wire_tensors(policy.model, torch.float32))
    assert [name for name, _ in plain.named_parameters()] == list(sent)
    with torch.no_grad():
        for name, weight in plain.named_parameters():
            weight.copy_(sent[name])
    batch = make_batch(REWARDS, LENGTHS)
    pair = [batch_logprobs(model, batch, temperature=1.0, cut=Cut(64)) for model in (plain, policy.model)]
    torch.testing.assert_close(*pair, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # which peft asks for
def test_peft_reads_the_adapter_of_a_checkpoint(configured, make_batch, tmp_path, model_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    policy, learner = trained(configured, make_batch)
    path = saved(tmp_path / "kept", policy, learner, 3)
    base = AutoModelForCausalLM.from_pretrained(model_path, attn_implementation="sdpa")
    theirs = PeftModel.from_pretrained(base, path / "adapter").eval()
    ids = torch.tensor([[6, 7, 8, 9, 10]])
    torch.testing.assert_close(theirs(input_ids=ids).logits, policy.model(input_ids=ids).logits, rtol=1e-4, atol=1e-4)


def test_without_its_adapter_the_policy_is_the_reference(configured, make_batch, model_path):
    policy, learner = trained(configured, make_batch)
    assert learner.reference is None
    batch = make_batch(REWARDS, LENGTHS)
    start = load_policy(ModelSection(path=str(model_path), device="cpu")).model
    with learner.as_reference() as reference:
        found = batch_logprobs(reference, batch, temperature=1.0, cut=Cut(64))
    assert torch.equal(found, batch_logprobs(start, batch, temperature=1.0, cut=Cut(64)))
    assert all(weight.requires_grad for name, weight in policy.model.named_parameters() if "lora_" in name)
    with pytest.raises(TypeError), switched_off(start):
        pass


@pytest.mark.parametrize("option", ["masters", "lora", "all"])
def test_what_is_evaluated_is_the_policy_that_was_trained(configured, make_batch, tmp_path, option):
    config = configured(**copy.deepcopy(OPTIONS[option]))
    policy, learner = built(config)
    train_step(learner, make_batch(REWARDS, LENGTHS), 1)
    saved(tmp_path / "kept", policy, learner, 1)
    judged = as_trained(config, checkpoint.latest(tmp_path / "kept"))
    for mine, other in zip(policy.model.parameters(), judged.model.parameters(), strict=True):
        assert mine.dtype == other.dtype
        assert torch.equal(mine, other)


def test_an_adapter_that_is_sent_by_itself_is_evaluated_by_itself(configured, make_batch, tmp_path):
    served = {"sampler": {"kind": "vllm_server", "spawn": 1}, "lora": {"rank": 4, "sync": "adapter"}}
    policy, learner = built(configured(**served))
    train_step(learner, make_batch(REWARDS, LENGTHS), 1)
    path = saved(tmp_path / "kept", policy, learner, 1)
    judged = as_trained(configured(**served), checkpoint.read(path))
    sent, trained_ = (wire_adapter(each.model, torch.float32) for each in (judged, policy))
    assert sent.keys() == trained_.keys()
    assert all(torch.equal(value, trained_[name]) for name, value in sent.items())
    assert any(value.any() for name, value in sent.items() if ".lora_B." in name)
    assert wire_adapter(as_trained(configured(**served), None).model, torch.float32).keys() == sent.keys()


def test_an_adapter_that_is_missing_or_of_another_shape_is_not_evaluated(configured, tmp_path):
    policy, learner = built(configured())
    whole = checkpoint.read(saved(tmp_path / "whole", policy, learner, 1))
    served = {"sampler": {"kind": "vllm_server", "spawn": 1}, "lora": {"rank": 4, "sync": "adapter"}}
    with pytest.raises(ConfigError, match="has no adapter"):
        as_trained(configured(**served), whole)
    assert not adapted_layers(as_trained(configured(lora={"rank": 4}), whole).model)
    adapted, adapting = built(configured(lora={"rank": 2}))
    other = checkpoint.read(saved(tmp_path / "other", adapted, adapting, 1))
    with pytest.raises(ConfigError, match="another shape"):
        as_trained(configured(lora={"rank": 4}), other)


def test_a_snapshot_of_an_adapted_policy_has_an_adapter_to_send(configured):
    policy, _ = built(configured(lora={"rank": 4}))
    assert (
        wire_adapter(Snapshots(policy.model).take(), torch.float32).keys()
        == wire_adapter(policy.model, torch.float32).keys()
    )


def test_an_adapter_does_not_go_on_upon_other_weights(configured, make_batch, tmp_path, model_path):
    config = configured(lora={"rank": 4})
    policy, learner = built(config)
    saved(tmp_path / "kept", policy, learner, 1)
    other = load_policy(config.model)
    with torch.no_grad():
        other.model.model.norm.weight.add_(1)
    with pytest.raises(CheckpointMismatch):
        build_learner(config, other, checkpoint.latest(tmp_path / "kept"))


def test_a_model_without_an_adapter_is_merged_with_nothing(policy):
    named = list(policy.model.named_parameters())
    assert [name for name, _ in merged(named, policy.model)] == [name for name, _ in named]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"lora": {"alpha": 3}}, "rank = 0"),
        ({"lora": {"rank": 3, "sync": "adapter"}}, "for vLLM"),
    ],
)
def test_what_cannot_work_together_is_refused(configured, sections, words):
    with pytest.raises(ValidationError, match=words):
        configured(**sections)
