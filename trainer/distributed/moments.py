"""The optimiser's state in a checkpoint: each rank writes its shards, any number of ranks reads them (torch DCP).

One process writes the same in one file, as torch does; a run goes on from either, on any number of ranks.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor, distribute_tensor

from trainer.distributed.ranks import count

SHARDS = "optimizer"
"""Directory of a checkpoint with the state of an optimiser in shards."""
FILE = "optimizer.pt"
"""File with that of one process."""

State = dict[int, dict[str, Any]]
"""What an optimiser keeps, by the number of the weight."""


def save_moments(directory: Path, optimizer: torch.optim.Optimizer) -> None:
    """Write what the optimiser has gathered about each weight; every rank takes part."""
    if count() == 1:
        torch.save(optimizer.state_dict(), directory / FILE)
    else:
        save(_by_name(optimizer.state_dict()["state"]), checkpoint_id=directory / SHARDS)


def load_moments(directory: Path, optimizer: torch.optim.Optimizer) -> None:
    """Take up what was written, by however many ranks."""
    whole = optimizer.state_dict()
    if (directory / SHARDS).is_dir():
        whole["state"] = _from_shards(directory / SHARDS, optimizer)
    else:
        known = torch.load(directory / FILE, weights_only=True, map_location="cpu", mmap=True)
        whole = {**known, "state": _shared_out(known["state"], optimizer)} if count() > 1 else known
    optimizer.load_state_dict(whole)  # moves each moment to where its weight is


def _by_name(state: State) -> dict[str, Any]:
    return {f"{number}.{key}": value for number, known in state.items() for key, value in known.items()}


def _from_shards(path: Path, optimizer: torch.optim.Optimizer) -> State:
    weights = _weights(optimizer)
    names = [name.split(".", 1) for name in FileSystemReader(path).read_metadata().state_dict_metadata]
    state: State = {}
    for number, key in names:
        weight = weights[int(number)].detach()
        state.setdefault(int(number), {})[key] = torch.zeros(()) if key == "step" else torch.zeros_like(weight)
    named = _by_name(state)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)  # one process is no mistake
        load(named, checkpoint_id=path, no_dist=count() == 1)
    return {number: {key: named[f"{number}.{key}"] for key in known} for number, known in state.items()}


def _shared_out(state: State, optimizer: torch.optim.Optimizer) -> State:
    weights = _weights(optimizer)
    return {
        number: {key: _like(value, weights[number]) for key, value in known.items()} for number, known in state.items()
    }


def _like(value: Tensor, weight: Tensor) -> Tensor:
    """A whole moment as the weight is sharded. Every rank has read it, so nothing is sent."""
    if not isinstance(weight, DTensor) or value.shape != weight.shape:
        return value
    mesh = weight.device_mesh
    return distribute_tensor(value.to(mesh.device_type), mesh, weight.placements, src_data_rank=None)


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """In the order in which the state numbers them."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]
