"""What learns, and what else changes as it does: the policy, PPO's critic, the weight of the KL penalty."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainer.algorithms import AlgorithmSection, Ppo
from trainer.checkpoint import CRITIC, Checkpoint, check_reference
from trainer.config import CorrectionSection, OptimSection, TrainConfig
from trainer.critic import Critic, load_value_model
from trainer.distributed.leading import led
from trainer.distributed.moments import load_moments
from trainer.distributed.sharding import is_sharded, mesh_of, section_to_load, shard
from trainer.lora import ADAPTER, add_adapter, read_adapter, switched_off
from trainer.masters import lower
from trainer.models import Policy, load_reference, resolve_device
from trainer.optim import build_optimizer, set_learning_rate
from trainer.packing import Cut
from trainer.pretraining import Pretraining, load_pretraining
from trainer.provenance import weights_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What a step needs to know."""

    algorithm: AlgorithmSection
    correction: CorrectionSection = field(default_factory=CorrectionSection)
    temperature: float
    max_new_tokens: int
    cut: Cut
    max_grad_norm: float


@dataclass(slots=True)
class Learner:
    """Everything a training step changes or compares with."""

    model: Any
    optimizer: torch.optim.Optimizer
    settings: StepSettings
    reference: nn.Module | None = None
    """The model the run started from; None where no penalty needs it, or the policy is that model with an adapter."""
    critic: Critic | None = None
    pretraining: Pretraining | None = None
    beta: float | None = None
    """Weight of the KL penalty now; None until a target has moved it."""
    reference_digest: str | None = None
    """Of the reference's weights: they are not in a checkpoint, and must be what they were."""

    @property
    def learns_without_signal(self) -> bool:
        """Whether a step moves the weights though all rewards are equal."""
        return self.settings.algorithm.learns_without_signal or self.pretraining is not None

    @contextmanager
    def as_reference(self) -> Iterator[Any]:
        """The model the run started from, for as long as the block lasts."""
        if self.reference is not None:
            yield self.reference
        else:
            with switched_off(self.model) as model:
                yield model

    @property
    def kl_weight(self) -> float:
        """What a nat of divergence costs."""
        return self.settings.algorithm.beta if self.beta is None else self.beta


def build_learner(config: TrainConfig, policy: Policy, found: Checkpoint | None) -> Learner:
    """What learns in this run, as it was in the checkpoint where there is one.

    Raises:
        ConfigError: a model or a file that the configuration names cannot be used.
        CheckpointMismatch: the model the run started from is not what it was.
    """
    compute = getattr(torch, config.model.arithmetic)
    mesh = mesh_of(config.distributed, resolve_device(config.model.device).type)
    needed = config.algorithm.beta > 0 and not config.lora.rank
    reference = load_reference(section_to_load(config.model)) if needed else None
    beginning = policy.model if config.lora.rank else reference
    reference_digest = led(lambda: weights_digest(beginning)) if beginning is not None else None
    if found:
        check_reference(found, reference_digest)
    if reference is not None:
        shard(reference, mesh, compute)  # before the next is loaded: rank 0 reads each of them whole
    values = _value_model(config, policy, found.path / CRITIC if found else None)
    if values is not None:
        shard(values, mesh, compute)
    if config.lora.rank:
        add_adapter(policy.model, config.lora, config.run.seed)
    if config.lora.rank and found:
        read_adapter(found.path / ADAPTER, policy.model)
    shard(policy.model, mesh, compute)
    learner = Learner(
        model=policy.model,
        optimizer=build_optimizer(policy.model, config.optim, config.model.compute),
        settings=_settings(config),
        reference=reference,
        critic=_critic(config, values) if values else None,
        pretraining=load_pretraining(config.ptx, policy.tokenizer, policy.stop_ids, config.run.seed),
        beta=found.kl_weight if found else None,
        reference_digest=reference_digest,
    )
    if reference is not None and not is_sharded(reference):
        lower(reference, compute)
    if found:
        load_moments(found.path, learner.optimizer)
    if found and learner.critic:
        load_moments(found.path / CRITIC, learner.critic.optimizer)
    return learner


def set_learning_rates(learner: Learner, config: TrainConfig, step: int) -> float:
    """Set those of training step `step`, counted from 1, and return the policy's, whose steps begin after the critic's
    warm-up."""
    if learner.critic:
        set_learning_rate(learner.critic.optimizer, _of_critic(config), step)
        step = max(0, step - config.critic.warmup_steps)
    return set_learning_rate(learner.optimizer, config.optim, step)


def _value_model(config: TrainConfig, policy: Policy, path: Path | None) -> Any:
    if not isinstance(config.algorithm, Ppo):
        return None
    return load_value_model(config.critic, section_to_load(config.model), policy.model, path)


def _critic(config: TrainConfig, model: Any) -> Critic:
    return Critic(model, build_optimizer(model, _of_critic(config), config.model.compute), config.critic)


def _of_critic(config: TrainConfig) -> OptimSection:
    return config.optim.model_copy(update={"lr": config.critic.lr})


def _settings(config: TrainConfig) -> StepSettings:
    return StepSettings(
        algorithm=config.algorithm,
        correction=config.correction,
        temperature=config.sampling.temperature,
        max_new_tokens=config.sampling.max_new_tokens,
        cut=Cut.of(config.optim),
        max_grad_norm=config.optim.max_grad_norm,
    )
