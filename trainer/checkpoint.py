"""Checkpoints: whole or absent, and exact. A resumed run goes on as if it had never been interrupted.

A checkpoint is a Hugging Face model directory plus the optimiser and `state.json`. There is no random state
in it: the order of tasks and every draw follow from the seed and the step.

Several ranks write one together, into a directory that all of them see. The weights are there once, in the form that
others can read; what they are sharded into is no part of it.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rewarders.digests import digest
from rewarders.errors import CheckpointMismatch
from trainer.atomic import atomic_directory
from trainer.config import TrainConfig
from trainer.critic import Critic
from trainer.distributed import moments
from trainer.distributed.ranks import barrier, broadcast, leads
from trainer.lora import ADAPTER, adapted_layers, adapter_tensors, merged, write_adapter
from trainer.masters import exact_state
from trainer.models import Policy
from trainer.samplers.section import MAY_DIFFER as SAMPLER_MAY_DIFFER

_NAME = re.compile(r"step-\d{6,}")
_STATE = "state.json"
CRITIC = "critic"
"""Directory of a checkpoint with PPO's critic: a model directory and its optimiser."""
IN_FLIGHT = "in_flight.jsonl"
"""Rollouts of a pipelined run that were not learnt from yet: see `trainer.pipeline.in_flight`."""
TRAINER_ONLY = (_STATE, moments.FILE, moments.SHARDS, CRITIC, IN_FLIGHT, ADAPTER)
"""Files of a checkpoint that are not the model's."""

_MAY_DIFFER = {
    "run.dir", "run.id", "run.steps", "run.threads", "run.rollouts_kept", "run.rollouts_every_steps", "model.device",
    "data", "sampling.rows_at_once", "grading", "pipeline.grading_requests", "optim.micro_batch",
    "optim.micro_batch_tokens", "optim.offload", "model.activation_checkpointing", "model.compile", "eval",
    "checkpoint", "detectors", "tracking", "distributed",
    *(f"sampler.{key}" for key in SAMPLER_MAY_DIFFER),
}  # fmt: skip
"""Sections and keys that change how long a run goes, what it logs or how fast it is, but not the mathematics; and
the detectors, since changing them is the answer to an alarm: what their masks left out of the loss is in alarms.jsonl.

Tasks are compared by digest, so a moved file is no mismatch.
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint on disk."""

    path: Path
    step: int
    """Training steps done."""
    identity: dict[str, Any]
    """What a configuration must agree with to go on from here."""
    offsets: dict[str, int]
    """Length in bytes of each log file when the checkpoint was taken."""
    kl_weight: float | None = None
    """Weight of the KL penalty, where a target has moved it."""
    reference: str | None = None
    """Digest of the reference model's weights, where there is one."""


def identity_of(config: TrainConfig, digests: Mapping[str, str]) -> dict[str, Any]:
    """Everything that decides the weights of a run, by key; what is in a file goes by its digest, not by its name."""
    keys: dict[str, Any] = {}
    for section, values in config.model_dump(mode="json").items():
        for key, value in values.items():
            if section not in _MAY_DIFFER and f"{section}.{key}" not in _MAY_DIFFER:
                keys[f"{section}.{key}"] = value
    return {**keys, **digests}


def save(
    directory: Path,
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    *,
    step: int,
    identity: dict[str, Any],
    offsets: dict[str, int],
    keep: int,
    critic: Critic | None = None,
    kl_weight: float | None = None,
    reference: str | None = None,
    in_flight: bytes = b"",
) -> Path:
    """Write `step-NNNNNN` below `directory`, then drop all but the newest `keep`."""
    path = directory / f"step-{step:06d}"
    with _written_together(path) as draft:
        _write_model(draft, policy.model, policy.tokenizer, optimizer)
        if critic:
            _write_model(draft / CRITIC, critic.model, policy.tokenizer, critic.optimizer)
        barrier()  # each rank has written its shards
        if leads():
            if in_flight:
                (draft / IN_FLIGHT).write_bytes(in_flight)
            _write_state(
                draft,
                {
                    "step": step,
                    "config_digest": digest(identity),
                    "identity": identity,
                    "offsets": offsets,
                    "kl_weight": kl_weight,
                    "reference": reference,
                },
            )
    if leads():
        _drop_old(directory, path, keep)
    return path


@contextmanager
def _written_together(path: Path) -> Iterator[Path]:
    """A directory that every rank writes to, and that takes the place of `path` once rank 0 is done."""
    if leads():
        with atomic_directory(path) as draft:
            broadcast(draft)
            yield draft
    else:
        yield broadcast(path)
    barrier()


def _write_state(draft: Path, state: dict[str, Any]) -> None:
    files = sorted(file for file in draft.rglob("*") if file.is_file())
    sizes = {str(file.relative_to(draft)): file.stat().st_size for file in files}
    (draft / _STATE).write_text(json.dumps({**state, "sizes": sizes}, indent=1), "utf-8")


def _drop_old(directory: Path, newest: Path, keep: int) -> None:
    whole = [candidate for candidate in _candidates(directory) if read(candidate) is not None]
    for old in whole[keep:]:
        if old != newest:
            shutil.rmtree(old)


def latest(directory: Path) -> Checkpoint | None:
    """The newest whole checkpoint below `directory`; what a crash tore is passed over."""
    return next((found for found in map(read, _candidates(directory)) if found is not None), None)


def read(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or None where it is absent, torn or none of ours."""
    try:
        state = json.loads((path / _STATE).read_text("utf-8"))
        whole = all((path / name).stat().st_size == size for name, size in state["sizes"].items())
    except (OSError, ValueError, KeyError):
        return None
    if not whole:
        return None
    controls = (state.get("kl_weight"), state.get("reference"))
    return Checkpoint(path, state["step"], state["identity"], state["offsets"], *controls)


def _write_model(directory: Path, model: Any, tokenizer: Any, optimizer: torch.optim.Optimizer) -> None:
    weights = exact_state(model, optimizer)
    if leads():
        if weights is not None and adapted_layers(model):
            write_adapter(directory / ADAPTER, adapter_tensors(weights.items()), model)
            weights = dict(merged(weights.items(), model))
        model.save_pretrained(directory, state_dict=weights)
        tokenizer.save_pretrained(directory)
    moments.save_moments(directory, optimizer)


def check_identity(checkpoint: Checkpoint, identity: dict[str, Any]) -> None:
    """Refuse to go on from a checkpoint with another configuration.

    Raises:
        CheckpointMismatch: naming the keys and their two values.
    """
    before = checkpoint.identity
    changed = sorted(key for key in before.keys() | identity.keys() if before.get(key) != identity.get(key))
    if changed:
        listed = "; ".join(f"{key} was {before.get(key)!r} and is {identity.get(key)!r}" for key in changed)
        raise CheckpointMismatch(
            f"{checkpoint.path} belongs to another configuration: {listed}",
            hint="give the changed run a run.dir of its own, or put the values back",
        )


def check_reference(checkpoint: Checkpoint, digest_now: str | None) -> None:
    """Raise CheckpointMismatch where the model that the policy is held to has changed under its name."""
    if checkpoint.reference is not None and checkpoint.reference != digest_now:
        raise CheckpointMismatch(
            f"{checkpoint.path}: the model that model.path names has other weights than when the run began",
            hint="put it back, or pin it with model.revision: the KL penalty holds the policy to it",
        )


def _candidates(directory: Path) -> list[Path]:
    """Checkpoint directories, newest first."""
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted((path for path in found if _NAME.fullmatch(path.name)), key=_step_of, reverse=True)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))
