"""Models in shards: FSDP2 (arXiv 2304.11277, in its per-parameter form) over a mesh of ranks.

Each decoder layer is gathered when it is computed and dropped afterwards; embedding, head and the last norm are one
more such unit. Gradients are summed and not averaged: each rank's losses already hold the whole step's denominator.
"""

import os
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from rewarders.errors import ConfigError
from trainer.config import ModelSection
from trainer.distributed.handing_out import agree, hand_out
from trainer.distributed.ranks import count, leads
from trainer.distributed.section import DistributedSection

_INSIDE = "call_inside"
_SUMMED = 1.0
"""What FSDP is to divide the sum of gradients by."""


def shard(model: nn.Module, mesh: DeviceMesh | None, compute: torch.dtype) -> None:
    """Leave each rank its share of rank 0's weights, on its device; without a mesh, everything stays as it is.

    Layer by layer: no rank but 0 ever has more of the model than its shares and one layer.

    Args:
        model: whole on rank 0, and of the same shape elsewhere; see `section_to_load`.
        mesh: the ranks that share.
        compute: precision of arithmetic; weights, gradients' sums and moments stay in the model's.

    Raises:
        ConfigError: the model does not say what its layers are, or ranks have loaded different models.
    """
    if mesh is None:
        return
    layers = _layers(model)
    agree(model)
    policy = MixedPrecisionPolicy(
        param_dtype=compute,
        reduce_dtype=torch.promote_types(compute, torch.float32),
        cast_forward_inputs=False,  # weights decide the precision; and casting would copy what layers share
    )
    for part in (*layers, model):
        hand_out(part, mesh)
        fully_shard(part, mesh=mesh, mp_policy=policy)
    for module in _units(model):
        module.set_force_sum_reduction_for_comms(True)
        module.set_gradient_divide_factor(_SUMMED)
    setattr(model, _INSIDE, MethodType(_call_inside, model))
    register_fsdp_forward_method(model, _INSIDE)


def mesh_of(section: DistributedSection, device_type: str) -> DeviceMesh | None:
    """All ranks in a row, or a row for each host; None with one rank. It has communicators of its own, so that all
    models are to have one between them.

    Raises:
        ConfigError: hosts have different numbers of ranks.
    """
    if count() == 1:
        return None
    if section.shard == "all":
        return init_device_mesh(device_type, (count(),), mesh_dim_names=("shard",))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", count()))
    if count() % local:
        raise ConfigError(
            f'distributed.shard = "host": {count()} ranks are no multiple of the {local} on this host',
            hint='start as many on each host, or set distributed.shard = "all"',
        )
    return init_device_mesh(device_type, (count() // local, local), mesh_dim_names=("copies", "shard"))


def within(model: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    """`call(model, *arguments)`, where the parts of a sharded model that no layer holds are at hand too.

    Tensors that a gradient goes back from must be in the result, by themselves or in tuples.
    """
    inside = getattr(model, _INSIDE, None)
    return call(model, *arguments) if inside is None else inside(call, *arguments)


def all_names(name: str) -> bool:
    """Every parameter is wanted."""
    return True


def whole_parameters(model: nn.Module, wanted: Callable[[str], bool] = all_names) -> Iterator[tuple[str, Tensor]]:
    """Name and value of every parameter with a wanted name, gathered one after the other where it is sharded: all ranks
    must iterate."""
    for module in _units(model):
        module.reshard()  # what a pass without gradient has left gathered
    for name, parameter in model.named_parameters():
        if wanted(name):
            value = parameter.detach()
            yield name, value.full_tensor() if isinstance(value, DTensor) else value


def is_sharded(model: Any) -> bool:
    """Whether this rank has only its share of the model."""
    return isinstance(model, FSDPModule)


def _call_inside(model: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    return call(model, *arguments)


def _units(model: nn.Module) -> list[FSDPModule]:
    return [module for module in model.modules() if isinstance(module, FSDPModule)]


def _layers(model: nn.Module) -> list[nn.Module]:
    """The blocks that transformers itself would not split over devices. Raises ConfigError where it names none: the
    whole model would be gathered at once."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    layers = [module for module in model.modules() if type(module).__name__ in names]
    if not layers:
        raise ConfigError(
            f"{type(model).__name__} does not say what its layers are, so that it cannot be sharded",
            hint="train it in one process",
        )
    return layers


def section_to_load(section: ModelSection) -> ModelSection:
    """Where a model that is to be sharded is loaded: by rank 0 on the CPU, since no device may have room for all of it.
    Other ranks build it without weights (`device` = "meta"), and `shard` sends them their shares."""
    return section if count() == 1 else section.model_copy(update={"device": "cpu" if leads() else "meta"})
