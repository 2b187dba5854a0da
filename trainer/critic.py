"""PPO's critic: a reward model's architecture, which says what it expects before each token.

It is an ordinary sequence-classification model with one label, so that any reward model in that form can be where it
starts from, and a trained critic is one.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from rewarders.errors import ConfigError
from trainer.config import CriticSection, ModelSection
from trainer.distributed.sharding import within
from trainer.logprobs import completion_hidden, in_micro_batches
from trainer.model_source import ModelFiles, model_files
from trainer.models import empty_model, first_line, learn_economically, own_memory
from trainer.packed import ATTENTION
from trainer.packing import Cut
from trainer.parity import refuse_unsupported_critic
from trainer.rollouts import Batch
from trainer.stopwatch import Phase, phase


@dataclass(frozen=True, slots=True)
class Critic:
    """A value model and its optimiser."""

    model: Any
    optimizer: torch.optim.Optimizer
    settings: CriticSection

    def values(self, batch: Batch, cut: Cut) -> Tensor:
        """What is expected before each token, without gradient: `[N, T]`, 0 where there is no token."""
        return in_micro_batches(batch, cut, lambda rows: token_values(self.model, rows))


def token_values(model: Any, batch: Batch) -> Tensor:
    """What the critic expects before each token, `[K]`, ordered as `tokens[mask]`, in float32 at least."""
    with phase(Phase.LOG_PROBS):
        found: Tensor = within(model, _token_values, batch)
    return found


def _token_values(model: Any, batch: Batch) -> Tensor:
    values = model.score(completion_hidden(model.base_model, batch)).squeeze(-1)
    return values.to(torch.promote_types(values.dtype, torch.float32), copy=True)  # FSDP cannot follow views


def load_value_model(critic: CriticSection, section: ModelSection, policy: Any, path: Path | None = None) -> Any:
    """The critic of a checkpoint at `path`, or the one the configuration begins with.

    From a reward model it takes the head as well; from the policy only the layers, and expects 0 everywhere.

    Raises:
        ConfigError: there is no such model, it is no critic, or it reads other tokens than the policy writes.
    """
    if path is None and critic.init == "policy":
        model = _of_policy(policy)
    else:
        init = section.model_copy(update={"path": str(path or critic.init), "revision": ""})
        model = _of_reward_model(model_files(init), getattr(torch, section.dtype), policy.device)
    sizes = model.config.vocab_size, policy.config.vocab_size
    if sizes[0] != sizes[1]:
        raise ConfigError(
            f"the critic has a vocabulary of {sizes[0]} tokens and the policy one of {sizes[1]}",
            hint="critic.init must name a reward model with the policy's tokenizer",
        )
    model.to(policy.device).eval()
    if policy.device.type != "meta":
        own_memory(model)
        refuse_unsupported_critic(model, f"critic.init = {path or critic.init}")
    learn_economically(model, section)
    return model


def _of_policy(policy: Any) -> Any:
    shape = copy.deepcopy(policy.config)
    shape.num_labels = 1
    kind = AutoModelForSequenceClassification
    with torch.device("meta" if policy.device.type == "meta" else "cpu"):
        model = kind.from_config(shape, dtype=policy.dtype, attn_implementation=ATTENTION)
    model.base_model.load_state_dict(policy.base_model.state_dict())
    torch.nn.init.zeros_(model.score.weight)
    return model


def _of_reward_model(files: ModelFiles, dtype: torch.dtype, device: torch.device) -> Any:
    source = files.path
    try:
        if device.type == "meta":
            return empty_model(AutoModelForSequenceClassification, files, dtype)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            source, revision=files.revision, dtype=dtype, attn_implementation=ATTENTION, output_loading_info=True
        )
    except (OSError, ValueError, SafetensorError, RuntimeError) as error:
        raise ConfigError(f"critic.init = {source}: {first_line(error)}", hint=files.hint) from error
    if model.config.num_labels != 1 or not hasattr(model, "score") or report["missing_keys"]:
        raise ConfigError(
            f"critic.init = {source} is no scalar reward model: a critic has a trained head named score with one label",
            hint='name one, or take critic.init = "policy"',
        )
    return model
