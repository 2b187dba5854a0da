"""Weights through the file system: any vLLM can read them from a folder, one with our extension from shared memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from rewarders.errors import TrainingError
from trainer.weights import Engine, wire_tensors
from trainer.weights.outbox import SHARED_MEMORY, Outbox, digest_of

OnEach = Callable[[Callable[[Engine], Any], Sequence[Engine]], list[Any]]
"""How to call every engine, one after the other or at once."""


def _one_by_one(call: Callable[[Engine], Any], engines: Sequence[Engine]) -> list[Any]:
    return list(map(call, engines))


class FileTransfer:
    """Every engine reloads its model from a folder that it can see under the same path.

    With `extended` engines, what vLLM leaves out is done by our extension; see `trainer.weights.worker`.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        root: Path,
        dtype: torch.dtype,
        on_each: OnEach = _one_by_one,
        *,
        extended: bool = False,
    ) -> None:
        self._engines, self._dtype, self._on_each, self._extended = engines, dtype, on_each, extended
        self._outbox = Outbox(root)

    def send(self, model: Any, *, checked: bool) -> None:
        """See `WeightTransfer.send`. Here nothing says what arrived."""
        with self._outbox.holding(wire_tensors(model, self._dtype)) as place:
            self._on_each(lambda engine: engine.call("reload_weights", weights_path=str(place)), self._engines)
        if self._extended:
            self._on_each(lambda engine: engine.call("renew_packed_copies"), self._engines)

    def close(self) -> None:
        """Remove the folder."""
        self._outbox.close()


class SharedMemoryTransfer:
    """Every engine maps one segment below /dev/shm; see `trainer.weights.worker`."""

    def __init__(self, engines: Sequence[Engine], dtype: torch.dtype, on_each: OnEach = _one_by_one) -> None:
        self._engines, self._dtype, self._on_each = engines, dtype, on_each
        self._outbox = Outbox(SHARED_MEMORY)

    def send(self, model: Any, *, checked: bool) -> None:
        """See `WeightTransfer.send`. Each worker digests the bytes it maps."""
        with self._outbox.holding(wire_tensors(model, self._dtype)) as place:
            name = str(place.relative_to(SHARED_MEMORY))
            answers = self._on_each(
                lambda engine: engine.call("load_shared_weights", name=name, checked=checked), self._engines
            )
            if checked:
                self._refuse_others(digest_of(place), answers)

    def _refuse_others(self, sent: str, answers: list[list[dict[str, str]]]) -> None:
        for engine, workers in zip(self._engines, answers, strict=True):
            if any(worker["digest"] != sent for worker in workers):
                raise TrainingError(
                    f"{engine.name} read other weights than were sent: {workers} and not {sent}",
                    hint="does it run on this machine, and see the same /dev/shm? otherwise sampler.transfer = 'file'",
                )

    def close(self) -> None:
        """Remove the segment."""
        self._outbox.close()
