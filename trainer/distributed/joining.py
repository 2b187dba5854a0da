"""Join the other ranks, and say which of them was lost when one is.

A rank that is killed closes its connections, so that whoever waits for it hears of it at once; torchrun then ends what
is left. A rank that hangs is noticed after `distributed.timeout_s`.
"""

import os
import signal
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from rewarders.errors import AssayError, TrainingError
from trainer.distributed.launching import under_torchrun
from trainer.distributed.ranks import gathered
from trainer.distributed.section import DistributedSection
from trainer.distributed.telling import mark_as_told

_DEATH_LIMIT_S = 5.0
_COLLECTIVE = ("gloo", "nccl", "connection closed", "connection reset", "timed out", "distbackend", "tcpstore")
"""What errors of collectives speak of."""


class RankLost(TrainingError):
    """Another rank has ended before the run has."""


@dataclass(frozen=True, slots=True)
class _Peer:
    rank: int
    host: str
    process: int

    @property
    def gone(self) -> bool:
        """Whether it is a process of this host that has ended."""
        if self.host != socket.gethostname():
            return False
        try:
            state = Path(f"/proc/{self.process}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state in "ZX"


class Joined:
    """Within the block, this process is one of the ranks. Without torchrun there is nothing to join."""

    def __init__(self, section: DistributedSection) -> None:
        self._section = section
        self._peers: list[_Peer] = []

    def __enter__(self) -> Self:
        if under_torchrun():
            self._join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._peers:
            return
        if error is None:
            dist.destroy_process_group()
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun ends whoever is left: not before it has said why
        said = f"{type(error).__name__}: {error}"
        try:
            self._store.set(_note(self._rank), said)
        except dist.DistError:  # torchrun itself is gone, and with it what ranks could tell one another by
            return
        if isinstance(error, AssayError) and self._rank and self._says_rank_0(said):
            mark_as_told(error)
        if isinstance(error, RuntimeError) and any(word in said.lower() for word in _COLLECTIVE):
            raise self._loss(said) from error

    def _join(self) -> None:
        timeout = timedelta(seconds=self._section.timeout_s)
        backend = "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            backend = "cpu:gloo,cuda:nccl"
        self._store, self._rank, size = next(rendezvous("env://", timeout=timeout))
        dist.init_process_group(backend, store=self._store, rank=self._rank, world_size=size, timeout=timeout)
        self._peers = gathered(_Peer(self._rank, socket.gethostname(), os.getpid()))

    def _says_rank_0(self, said: str) -> bool:
        """Whether rank 0 ends with the same words: then it is enough that it says them."""
        try:
            self._store.wait([_note(0)], timedelta(seconds=_DEATH_LIMIT_S))
        except dist.DistStoreError:
            return False
        return self._noted(0) == said

    def _loss(self, said: str) -> RankLost:
        """Which rank was lost, as far as this one can tell."""
        deadline = time.monotonic() + _DEATH_LIMIT_S
        while time.monotonic() < deadline:
            for peer in self._peers:
                noted = self._noted(peer.rank)
                if noted is None and peer.gone:
                    return _lost(f"rank {peer.rank} was lost: process {peer.process} on {peer.host} is gone")
                if noted is not None and not any(word in noted.lower() for word in _COLLECTIVE):
                    loss = _lost(f"rank {peer.rank} has ended with {noted}")
                    mark_as_told(loss)
                    return loss
            time.sleep(0.1)
        return _lost(
            f"a rank on another host was lost, or has not answered for distributed.timeout_s = "
            f"{self._section.timeout_s:g}: {said.splitlines()[0][:300]}"
        )

    def _noted(self, rank: int) -> str | None:
        """What a rank has ended with, if it could still say so."""
        key = _note(rank)
        return self._store.get(key).decode("utf-8", "replace") if self._store.check([key]) else None


def _note(rank: int) -> str:
    return f"assay/ended/{rank}"


def _lost(said: str) -> RankLost:
    return RankLost(said, hint="run again: it goes on from the last checkpoint")
