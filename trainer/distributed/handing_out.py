"""Weights on their way from rank 0, which has read them, to ranks that have built the model without any.

So a host holds one copy of a model while it is loaded, and not one for each of its ranks.
"""

from collections.abc import Iterator
from itertools import chain

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from rewarders.errors import ConfigError
from trainer.distributed.ranks import broadcast, gathered, leads


def agree(model: nn.Module) -> None:
    """Give what this rank has built the precision of what rank 0 has read.

    Raises:
        ConfigError: on every rank, where one of them has built other tensors.
    """
    own = dict(_named(model))
    read = broadcast({name: (tensor.shape, tensor.dtype) for name, tensor in own.items()})
    shapes = {name: tensor.shape for name, tensor in own.items()}
    other = {name for name, _ in shapes.items() ^ {name: shape for name, (shape, _) in read.items()}.items()}
    if odd := sorted(set().union(*gathered(other))):
        raise ConfigError(
            f"rank 0 has read other tensors than config.json lets another rank build: {', '.join(odd[:5])}",
            hint="give every host the same files and the same transformers; where a head has weights of its own, "
            "config.json has to say tie_word_embeddings = false",
        )
    for name, tensor in own.items():
        tensor.data = tensor.data.to(read[name][1])


@torch.no_grad()
def hand_out(module: nn.Module, mesh: DeviceMesh) -> None:
    """Give every rank what rank 0 has of a module, whole and on the mesh's device; what is sharded stays as it is.

    Buffers too: a model computes some of them when it is read, and they are in no file.
    """
    received: dict[Tensor, Tensor] = {}  # a tensor that several modules share comes once, and stays shared
    for owner in module.modules():
        for name, tensor in list(_named(owner, recurse=False)):
            if not isinstance(tensor, DTensor):
                if tensor not in received:
                    received[tensor] = _from_rank_0(tensor, mesh)
                setattr(owner, name, received[tensor])


def _from_rank_0(tensor: Tensor, mesh: DeviceMesh) -> Tensor:
    place = torch.device(mesh.device_type)
    value = tensor.detach().to(place) if leads() else torch.empty(tensor.shape, dtype=tensor.dtype, device=place)
    for group in mesh.get_all_groups():  # first to the first rank of each host, then by that to the others of it
        dist.broadcast(value, group=group, group_src=0)
    return nn.Parameter(value, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else value


def _named(module: nn.Module, *, recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
    return chain(module.named_parameters(recurse=recurse), module.named_buffers(recurse=recurse))
