"""An adapter that is trained here and sampled with by a real vLLM: merged, and by itself."""

import warnings
from itertools import pairwise
from pathlib import Path

import pytest
from real_vllm import PROMPTS, difference, request, run_config

from trainer.config import TrainConfig
from trainer.lora import add_adapter
from trainer.lora_section import LoraSection
from trainer.models import load_policy
from trainer.optim import build_optimizer
from trainer.samplers.building import built_sampler
from trainer.sft import Example, text_losses

pytestmark = pytest.mark.filterwarnings("default")  # vLLM's own


def learnt(policy, optimizer, cut) -> None:
    """A real step that moves the adapter far."""
    ids = [6, 7, 8, 9, 10, 11, 12, 13, 6, 7, 8, 9]
    for loss in text_losses(policy.model, [Example(ids, [True] * len(ids))], cut):
        loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def chosen(model: Path, run_dir: Path, sync: str, **sampler) -> TrainConfig:
    config = run_config(model, run_dir, **sampler)
    lora = LoraSection(rank=4, sync=sync)
    return TrainConfig.model_validate(
        {**config.model_dump(exclude_unset=True), "lora": lora.model_dump(), "optim": {"lr": 0.03}}
    )


@pytest.mark.parametrize("sync", ["adapter", "merged"])
@pytest.mark.parametrize("sampler", [{"kind": "vllm_server", "spawn": 1}, {"kind": "vllm_colocated"}], ids=str)
def test_vllm_samples_with_each_step_of_an_adapter(model: Path, tmp_path: Path, sync: str, sampler):
    from trainer.packing import Cut

    config = chosen(model, tmp_path / "run", sync, **sampler)
    policy = load_policy(config.model)
    with warnings.catch_warnings(), built_sampler(config, policy) as asked:
        add_adapter(policy.model, config.lora, 0)
        optimizer = build_optimizer(policy.model, config.optim)
        seen = []
        for step in range(4):
            asked.take_weights(policy.model, f"step-{step}")
            samples = asked.sample(PROMPTS, request(f"step-{step}", seed="the same"))
            assert difference(policy, samples).mean() <= 1e-4
            seen.append([one.tokens for group in samples for one in group])
            learnt(policy, optimizer, Cut(8))
    assert all(one != other for one, other in pairwise(seen)), "the adapter made no difference"
    assert not list((tmp_path / "run" / "weights").glob("*")) or sync == "merged"
