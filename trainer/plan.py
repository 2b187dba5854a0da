"""What a run would cost, without weights and without a server."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rewarders.errors import ConfigError
from trainer.config import TrainConfig
from trainer.data import load_task_set

_BYTES = {"float32": 4, "bfloat16": 2}


def plan(config: TrainConfig) -> dict[str, Any]:
    """The resolved configuration, the number of weights, an estimate of memory, and how much there is to do.

    Raises:
        ConfigError: the model or the tasks cannot be read.
    """
    model = _skeleton(config.model.path)
    tasks = load_task_set(config.data)
    rollouts = config.sampling.prompts_per_step * config.sampling.group_size
    memory = memory_estimate(config, model)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "train_tasks": len(tasks.train),
        "held_out_tasks": len(tasks.held_out),
        "steps": config.run.steps,
        "epochs": config.run.steps * config.sampling.prompts_per_step / len(tasks.train),
        "rollouts_per_step": rollouts,
        "completions": rollouts * config.run.steps,
        "most_new_tokens": rollouts * config.run.steps * config.sampling.max_new_tokens,
        "memory_bytes": {**memory, "total": sum(memory.values())},
        "config": config.model_dump(mode="json"),
    }


def memory_estimate(config: TrainConfig, model: Any) -> dict[str, int]:
    """Bytes by purpose at the worst moment, activations of the layers left out.

    Logits are counted three times over: themselves, their softmax and its gradient, in float32.
    """
    size, weights = _BYTES[config.model.dtype], sum(parameter.numel() for parameter in model.parameters())
    shape, sampling = model.config, config.sampling
    width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    heads = getattr(shape, "num_key_value_heads", None) or shape.num_attention_heads
    rows = min(sampling.rows_at_once, sampling.prompts_per_step * sampling.group_size)
    places = sampling.max_prompt_tokens + sampling.max_new_tokens
    return {
        "weights": weights * size,
        "gradients": weights * size,
        "optimiser": 2 * weights * size,
        "reference": weights * size if config.algorithm.beta > 0 else 0,
        "key_value_cache": 2 * shape.num_hidden_layers * heads * width * rows * places * size,
        "logits": 3 * config.optim.micro_batch * sampling.max_new_tokens * shape.vocab_size * 4,
    }


def _skeleton(path: str) -> Any:
    """The model without memory for its weights."""
    try:
        shape = AutoConfig.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.path = {path}: {str(error).splitlines()[0][:300]}") from error
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(shape)
