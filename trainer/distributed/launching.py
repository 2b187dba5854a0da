"""Who started this process, and starting several of it. This module imports no torch."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from rewarders.errors import ConfigError

_TORCHRUNS: Final = (
    "RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "ROLE_NAME", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE",
    "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
)  # fmt: skip
"""Variables by which torchrun tells a process which rank it is."""


def under_torchrun() -> bool:
    """Whether this is one of several processes that torchrun has started."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def refuse_several(command: str) -> None:
    """Raise ConfigError where torchrun has started several of a program that is made for one."""
    if under_torchrun():
        size = os.environ["WORLD_SIZE"]
        raise ConfigError(
            f"{command} runs in one process, and torchrun has started {size} (WORLD_SIZE = {size})",
            hint="start it without torchrun, or unset WORLD_SIZE; `trainer run` is what several ranks can share",
        )


def become_torchrun(processes: int, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by torchrun with so many ranks of `trainer` on this machine.

    Raises:
        ConfigError: torchrun has started this process.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise ConfigError(
            f"--processes {processes}: torchrun has started this process already", hint="leave --processes out"
        )
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does, with less ado
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    os.execv(sys.executable, [sys.executable, *torchrun, "-m", "trainer", *arguments])


def without_ranks(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program that is none of the ranks, and must not take itself for one."""
    return {name: value for name, value in environment.items() if name not in _TORCHRUNS and "TORCHELASTIC" not in name}
