"""PPO's critic: a reward model's architecture, which says what it expects before each token.

It is an ordinary sequence-classification model with one label, so that any reward model in that form can be where it
starts from, and a trained critic is one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from rewarders.errors import ConfigError
from trainer.config import CriticSection, ModelSection
from trainer.logprobs import completion_hidden, in_micro_batches
from trainer.models import first_line, own_memory, resolve_device
from trainer.parity import refuse_partial_attention
from trainer.rollouts import Batch


@dataclass(frozen=True, slots=True)
class Critic:
    """A value model and its optimiser."""

    model: Any
    optimizer: torch.optim.Optimizer
    settings: CriticSection

    def values(self, batch: Batch, micro_batch: int) -> Tensor:
        """What is expected before each token, without gradient: `[N, T]`, 0 where there is no token."""
        return in_micro_batches(batch, micro_batch, lambda rows: token_values(self.model, rows))


def token_values(model: Any, batch: Batch) -> Tensor:
    """What the critic expects before each token, `[K]`, ordered as `tokens[mask]`, in float32 at least."""
    values = model.score(completion_hidden(model.base_model, batch)).squeeze(-1)
    return values.to(torch.promote_types(values.dtype, torch.float32))


def load_value_model(critic: CriticSection, policy: ModelSection, path: Path | None = None) -> Any:
    """The critic of a checkpoint at `path`, or the one the configuration begins with.

    From a reward model it takes the head as well; from the policy only the layers, and expects 0 everywhere.

    Raises:
        ConfigError: there is no such model, it has another number of labels, or layers without full attention.
    """
    from_policy = path is None and critic.init == "policy"
    source = str(path or (policy.path if from_policy else critic.init))
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            source, dtype=getattr(torch, policy.dtype), attn_implementation="sdpa", **_one_label(from_policy)
        )
    except (OSError, ValueError, SafetensorError, RuntimeError) as error:
        raise ConfigError(f"critic.init = {source}: {first_line(error)}") from error
    if model.config.num_labels != 1 or not hasattr(model, "score"):
        raise ConfigError(
            f"critic.init = {source}: a critic has a head named score with one label, this {model.config.num_labels}",
            hint='name a scalar reward model, or critic.init = "policy"',
        )
    refuse_partial_attention(model, source)
    if from_policy:
        torch.nn.init.zeros_(model.score.weight)
    model.to(resolve_device(policy.device)).eval()
    own_memory(model)
    return model


def _one_label(from_policy: bool) -> dict[str, int]:
    return {"num_labels": 1} if from_policy else {}


def refuse_other_vocabulary(critic: Any, policy: Any) -> None:
    """Raise ConfigError where the critic would read other tokens than the policy writes."""
    sizes = critic.config.vocab_size, policy.config.vocab_size
    if sizes[0] != sizes[1]:
        raise ConfigError(
            f"the critic has a vocabulary of {sizes[0]} tokens and the policy one of {sizes[1]}",
            hint="critic.init must name a reward model with the policy's tokenizer",
        )
