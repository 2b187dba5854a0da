"""Copies of the policy for a sampler that goes on with them while the policy itself learns."""

import copy
from itertools import chain
from typing import Any

import torch

from trainer.samplers.gathered import gather_into


class Snapshots:
    """Makes copies of one model, and uses them again once they are given back."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._free: list[Any] = []

    @torch.no_grad()
    def take(self) -> Any:
        """The model as it is at this moment."""
        snapshot = self._blank()
        for mine, newest in zip(_tensors(snapshot), _tensors(self._model), strict=True):
            mine.copy_(newest)
        return snapshot

    def give_back(self, snapshot: Any) -> None:
        """Nobody samples with this one any more."""
        self._free.append(snapshot)

    def _blank(self) -> Any:
        return self._free.pop() if self._free else copy.deepcopy(self._model).requires_grad_(False)


class WholeSnapshots(Snapshots):
    """The same of a sharded policy: copies are whole. All ranks take each of them together; one that samples nothing
    helps, and has none."""

    def __init__(self, policy: Any, whole: Any) -> None:
        """Copies are made from `whole`, a model of the same shape that is not learnt, or None."""
        super().__init__(whole)
        self._policy = policy

    def take(self) -> Any:
        """The policy as it is at this moment, or None."""
        snapshot = self._blank() if self._model is not None else None
        gather_into(snapshot, self._policy)
        return snapshot


def _tensors(model: Any) -> chain[torch.Tensor]:
    return chain(model.parameters(), model.buffers())
