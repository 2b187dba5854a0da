"""The ranks of this run, and what they tell one another. With one process every function here is the identity.

As in torch.distributed, the group of ranks belongs to the process: nothing is handed around.
"""

from typing import Any, TypeVar

import torch
import torch.distributed as dist

from trainer.stopwatch import Phase, phase

T = TypeVar("T")


def count() -> int:
    """Ranks in all; 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this one, from 0."""
    return dist.get_rank() if count() > 1 else 0


def leads() -> bool:
    """Whether this is rank 0, which does what has to be done once."""
    return rank() == 0


def barrier() -> None:
    """Wait until every rank is here."""
    if count() > 1:
        with phase(Phase.IDLE):
            dist.barrier()


def broadcast(value: T) -> T:
    """What rank 0 has; the value of the others does not matter."""
    if count() == 1:
        return value
    box: list[Any] = [value if leads() else None]
    dist.broadcast_object_list(box, src=0)
    told: T = box[0]
    return told


def gathered(value: T) -> list[T]:
    """What each rank has, in the order of ranks."""
    if count() == 1:
        return [value]
    found: list[Any] = [None] * count()
    dist.all_gather_object(found, value)
    return found


def summed(values: torch.Tensor) -> torch.Tensor:
    """The sum over ranks, the same bits on each of them."""
    if count() > 1:
        values = values.contiguous()
        with phase(Phase.SYNC):
            dist.all_reduce(values)
    return values


def any_rank(condition: bool) -> bool:
    """Whether it holds on at least one rank."""
    return any(gathered(condition))
