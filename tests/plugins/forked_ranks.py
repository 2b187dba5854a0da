"""Ranks of `ranked_run.py` forked by a process that has imported what they need, and has computed nothing.

Reads an order on each line of stdin, as `ranked_runs.run` writes it, and answers with the ranks' exit statuses.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import ranked_run
import torch.distributed as dist

from trainer.distributed.leaving import leaving

_GRACE_S = 30.0
"""How long ranks have to say which of them was lost."""
_PORT_DIGITS = 5


def main() -> None:
    """Until stdin ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_carried_out(json.loads(line))) + "\n")
        sys.stdout.flush()  # before the next fork


def _carried_out(order: Mapping[str, Any]) -> list[int]:
    read, write = os.pipe()
    processes = [_forked(order, rank, read) for rank in range(order["ranks"])]
    # The ranks meet in a store, which has a thread: it is made when there is nobody left to fork.
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(minutes=2))
    os.write(write, f"{store.port:{_PORT_DIGITS}}".encode() * len(processes))
    statuses = _statuses(set(processes), time.monotonic() + order["within_s"])
    os.close(read)
    os.close(write)
    return [statuses[process] for process in processes]


def _forked(order: Mapping[str, Any], rank: int, ports: int) -> int:
    process = os.fork()
    if process == 0:
        os.environ.update(order["environment"])
        if order["ranks"] > 1:
            os.environ.update(_as_torchrun(rank, order["ranks"], int(os.read(ports, _PORT_DIGITS))))
        said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        _run(order["arguments"])
    return process


def _run(arguments: Sequence[str]) -> None:
    with leaving():
        ranked_run.main(*arguments)
    sys.exit()


def _as_torchrun(rank: int, ranks: int, port: int) -> dict[str, str]:
    """What torchrun tells a rank, while it keeps the store itself."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }


def _statuses(waiting: set[int], deadline: float) -> dict[int, int]:
    """How each process ended. Where one fails, the others are ended some time after it, and all at the deadline."""
    found: dict[int, int] = {}
    while waiting:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process:
            waiting.remove(process)
            found[process] = os.waitstatus_to_exitcode(status)
            deadline = min(deadline, time.monotonic() + _GRACE_S) if found[process] else deadline
        elif time.monotonic() > deadline:
            for late in waiting:
                os.kill(late, signal.SIGKILL)
            deadline += _GRACE_S
        else:
            time.sleep(0.01)
    return found


if __name__ == "__main__":
    main()
