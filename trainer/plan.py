"""What a run would cost, without weights and without a server."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rewarders.errors import ConfigError
from trainer.config import ModelSection, TrainConfig
from trainer.cost import cost, given_speed, measured_speed
from trainer.cost import describe as describe_cost
from trainer.data import load_task_set
from trainer.logprobs import LOGITS_AT_ONCE as LOGITS
from trainer.model_source import model_files

_BYTES = {"float32": 4, "bfloat16": 2}


def plan(config: TrainConfig) -> dict[str, Any]:
    """The resolved configuration, the number of weights, an estimate of memory, and how much there is to do.

    Raises:
        ConfigError: the model or the tasks cannot be read.
    """
    model = skeleton(config.model)
    tasks = load_task_set(config.data)
    rollouts = config.sampling.prompts_per_step * config.sampling.group_size
    memory = memory_estimate(config, model)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "train_tasks": len(tasks.train),
        "held_out_tasks": len(tasks.held_out),
        "duplicate_tasks": tasks.duplicates,
        "overlapping_tasks": tasks.overlapping,
        "steps": config.run.steps,
        "epochs": config.run.steps * config.sampling.prompts_per_step / len(tasks.train),
        "rollouts_per_step": rollouts,
        "completions": rollouts * config.run.steps,
        "most_new_tokens": rollouts * config.run.steps * config.sampling.max_new_tokens,
        "memory_bytes": {**memory, "total": sum(memory.values())},
        "device_bytes": by_device(config, memory),
        "config": config.model_dump(mode="json"),
    }


def plan_with_cost(
    config: TrainConfig, *, like: Path | None, tokens_per_second: float | None, price_per_hour: float | None
) -> dict[str, Any]:
    """`plan`, and hours and money where there is a speed to go by.

    Raises:
        ConfigError: as `plan`; both speeds are given, or a price without one; `like` is no run.
    """
    if like is not None and tokens_per_second is not None:
        raise ConfigError(f"--like {like} and --tokens-per-second {tokens_per_second:g}: give one of them")
    found = plan(config)
    if like is not None:
        speed = measured_speed(like)
    elif tokens_per_second is not None:
        speed = given_speed(config, tokens_per_second)
    elif price_per_hour is not None:
        raise ConfigError(
            f"--price-per-hour {price_per_hour:g} says nothing without a speed",
            hint="add --like with the directory of a run, or --tokens-per-second",
        )
    else:
        return found
    spent = cost(config, speed, held_out_tasks=found["held_out_tasks"], price_per_hour=price_per_hour)
    return {**found, "cost": spent}


def describe(found: dict[str, Any]) -> str:
    """A plan as the terminal shows it."""
    facts = {name: value for name, value in found.items() if isinstance(value, int | float)}
    lines = [f"{name.replace('_', ' '):20} {value:,}" for name, value in facts.items()]
    lines += describe_cost(found["cost"]) if "cost" in found else []
    for title, sizes in (("memory", found["memory_bytes"]), ("device of", found["device_bytes"])):
        lines += [f"{f'{title} {name}':32} {size / 2**20:12,.1f} MiB" for name, size in sizes.items()]
    return "\n".join([*lines, json.dumps(found["config"], indent=1)])


def memory_estimate(config: TrainConfig, model: Any) -> dict[str, int]:
    """Bytes by purpose at the worst moment.

    Logits are counted four times over, as measured, in float32: with their softmax and gradients. What the layers keep
    for the backward pass is taken to be 17 numbers a token, layer and unit of width (arXiv 2205.05198, without the
    matrices of attention, which ours does not keep); recomputed, one number a layer and those of one layer.
    """
    size, weights = _BYTES[config.model.dtype], sum(parameter.numel() for parameter in model.parameters())
    shape, sampling, computed = model.config, config.sampling, _BYTES[config.model.arithmetic]
    rows = min(sampling.rows_at_once, sampling.prompts_per_step * sampling.group_size)
    places = sampling.max_prompt_tokens + sampling.max_new_tokens
    sent = _BYTES.get(config.sampler.dtype, computed)
    trained = _adapter_weights(config, model) or weights
    masters = trained * size if computed != size else 0
    depth = shape.num_hidden_layers
    kept = depth + 17 if config.model.activation_checkpointing else 17 * depth
    together = min(config.optim.micro_batch * places, config.optim.micro_batch_tokens or math.inf)
    held = max(shape.vocab_size, min(config.optim.micro_batch * sampling.max_new_tokens * shape.vocab_size, LOGITS))
    return {
        "weights": weights * computed + masters,
        "gradients": trained * size,
        "optimiser": 0 if config.optim.offload else 2 * trained * size,
        "reference": weights * computed if config.algorithm.beta > 0 and not config.lora.rank else 0,
        "critic": 4 * weights * size if config.algorithm.name == "ppo" else 0,
        "snapshots": weights * computed * (config.pipeline.ahead + 1) if config.pipeline.max_staleness else 0,
        "activations": int(kept * shape.hidden_size * together * computed),
        "logits": 4 * held * 4,
        "sampler_weights": 0 if config.sampler.kind == "hf" else weights * sent,
        "key_value_cache": 2 * shape.num_hidden_layers * _cached_width(shape) * rows * places * sent,
    }


def _adapter_weights(config: TrainConfig, model: Any) -> int:
    """Numbers in the adapter that [lora] asks for; 0 where it asks for none."""
    chosen, head = set(config.lora.targets), model.get_output_embeddings()
    return sum(
        config.lora.rank * sum(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
        if not chosen or name.rpartition(".")[2] in chosen
    )


def by_device(config: TrainConfig, memory: Mapping[str, int]) -> dict[str, int]:
    """Bytes on the trainer's device and on the sampler's, which are one unless vLLM serves from elsewhere.

    vLLM fills whatever share of its device it is given with cache: what is counted here is what the rollouts need.
    """
    sampler = memory["sampler_weights"] + memory["key_value_cache"]
    trainer = sum(memory.values()) - sampler
    if config.sampler.kind == "vllm_server":
        return {"trainer": trainer, "sampler": sampler}
    return {"trainer_and_sampler": trainer + sampler}


def _cached_width(shape: Any) -> int:
    """Numbers that a layer keeps of a token, as key and again as value."""
    width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    return int(width * (getattr(shape, "num_key_value_heads", None) or shape.num_attention_heads))


def skeleton(config: ModelSection) -> Any:
    """The model without memory for its weights. Raises ConfigError where there is none."""
    files = model_files(config)
    try:
        shape = AutoConfig.from_pretrained(files.path, revision=files.revision)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.path = {files.path}: {str(error).splitlines()[0][:300]}", hint=files.hint) from error
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(shape)
