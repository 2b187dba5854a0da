"""`serve --workers N`: keeps N server processes that share one listening socket.

Each is started by exec, with an event loop, rewarder workers and a ledger writer (so a chain) of its own. The first
starts alone: it migrates the ledger, and what is wrong with the configuration is said once.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from env_server.accepting import Connections
from env_server.config import ServiceConfig
from env_server.isolation import keep_others_out
from env_server.observing import logs
from env_server.observing.exposition import SHARED_DIR
from env_server.observing.logs import say
from env_server.observing.shared_folder import fold, shared_folder
from env_server.section import Section

S = TypeVar("S", bound=Section)

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
_HEALTHY_S = 60.0
"""Who served so long did not end because of how it began."""
_CLOSING_S = 60.0
"""For a server process to close everything, once its requests are finished or given up."""
_LOOKS = 10
"""At a process before it is found to be silent. Looks are counted, not seconds: we may have stood still ourselves."""
_COULD_NOT_FIND_OUT = 3


def supervise(config: ServiceConfig, listener: socket.socket, ready: Callable[[], None]) -> int:
    """Keep `config.server.workers` processes serving until SIGTERM or SIGINT, which they are passed.

    A process that ends is replaced, after a pause that grows while they keep ending. The service ends when one ends
    before all have served, or before it serves while no other does: that would go on for ever. One that serves but
    does nothing any more is killed, and so replaced. A second signal kills all of them.

    Args:
        config: what all of them serve together.
        listener: already listening; closed when they leave.
        ready: called once all of them can score.

    Returns:
        The exit code: 0, or that of the process that went wrong.
    """
    logs.set_up(config.log, process=0)
    if config.plugins.isolated:
        keep_others_out()
    with shared_folder() as folder:
        return asyncio.run(_Supervisor(config, listener, ready, folder).run())


def share_of(config: ServiceConfig, number: int) -> ServiceConfig:
    """What one process takes of what all of them share; `number` counts from 1."""
    processes = config.server.workers

    def part(whole: int) -> int:
        return max(1, (whole + processes - number) // processes)

    def shared(section: S, name: str) -> S:
        return section.model_copy(update={name: part(getattr(section, name))})

    plugins = {name: shared(one, "processes") for name, one in config.plugins.isolated.items() if one.processes}
    return config.model_copy(
        update={
            "workers": shared(config.workers, "processes"),
            "calls": shared(config.calls, "at_once"),
            "sandbox": shared(config.sandbox, "parallel"),
            "judges": {name: shared(one, "at_once") for name, one in config.judges.items()},
            "reward_models": {name: shared(one, "at_once") for name, one in config.reward_models.items()},
            "plugins": config.plugins.model_copy(update=plugins),
        }
    )


class _Supervisor:
    def __init__(
        self, config: ServiceConfig, listener: socket.socket, ready: Callable[[], None], shared_dir: Path
    ) -> None:
        self._config, self._listener, self._ready, self._shared_dir = config, listener, ready, shared_dir
        self._connections = Connections.shared(config.server.workers)
        self._processes: dict[int, Process] = {}
        self._serving = set[int]()
        self._ended = set[int]()
        """Ids of processes whose metrics are not added to those of the others that have ended."""
        self._first_serves = asyncio.Event()
        self._all_have_served = False
        self._left = asyncio.Event()
        self._code = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, number)
        await asyncio.gather(*(self._keep(number + 1) for number in range(self._config.server.workers)))
        say(_log, logging.INFO, "stopped", code=self._code)
        return self._code

    async def _keep(self, number: int) -> None:
        """One place for a server process: fill it, and fill it again until we leave."""
        pause_s = _FIRST_PAUSE_S
        if number > 1:
            await self._first_serves.wait()
        while not self._left.is_set():
            began_s = time.monotonic()
            code, served = await self._run_process(number)
            if self._left.is_set():
                self._code = self._code or _exit_code(code)
            elif not served and not (self._all_have_served and self._serving):
                self._give_up(number, code)
            else:
                lasted = time.monotonic() - began_s > _HEALTHY_S
                pause_s = _FIRST_PAUSE_S if lasted else min(2 * pause_s, _LONGEST_PAUSE_S)
                say(_log, logging.ERROR, "a server process ended", number=number, code=code, again_in_s=pause_s)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), pause_s)

    async def _run_process(self, number: int) -> tuple[int, bool]:
        """From its start to its end: its exit code, and whether it served."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            try:
                with theirs:
                    process = self._processes[number] = await self._start(number, theirs)
            except OSError as error:  # no memory, or too many processes
                say(_log, logging.ERROR, "no server process can be started", number=number, why=error.strerror)
                return _COULD_NOT_FIND_OUT, False
            if self._left.is_set():
                _send(process, signal.SIGTERM)
            await _tell(process, share_of(self._config, number))
            served = bool(await asyncio.get_running_loop().sock_recv(ours, 1))
        watching = asyncio.create_task(self._watch(number, process)) if served else None
        if served:
            self._serves(number)
        code = await process.wait()
        if watching:
            watching.cancel()
        self._forget(number, process)
        return code, served

    async def _start(self, number: int, report: socket.socket) -> Process:
        descriptors = (self._listener.fileno(), report.fileno(), self._connections.descriptor)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "env_server.server_process", *map(str, (*descriptors, number)),
            pass_fds=descriptors, stdin=PIPE, env={**os.environ, SHARED_DIR: str(self._shared_dir)},
            process_group=0,  # Ctrl-C is for us to pass on, once
        )  # fmt: skip

    async def _watch(self, number: int, process: Process) -> None:
        """Kill it once it has been silent for too long."""
        beat, silent = self._connections.beat(number), 0
        while silent < _LOOKS:
            await asyncio.sleep(self._config.server.silent_s / _LOOKS)
            before, beat = beat, self._connections.beat(number)
            silent = silent + 1 if beat is not None and beat == before else 0
        say(_log, logging.ERROR, "a server process does nothing any more", number=number, pid=process.pid)
        _send(process, signal.SIGKILL)

    def _serves(self, number: int) -> None:
        self._serving.add(number)
        self._first_serves.set()
        if len(self._serving) == self._config.server.workers and not self._all_have_served:
            self._all_have_served = True
            self._ready()
            say(_log, logging.INFO, "serving", processes=len(self._serving))

    def _forget(self, number: int, process: Process) -> None:
        del self._processes[number]
        self._serving.discard(number)
        self._connections.gone(number)
        self._ended.add(process.pid)
        if fold(self._shared_dir, self._ended):
            self._ended.clear()

    def _give_up(self, number: int, code: int) -> None:
        say(_log, logging.ERROR, "giving up: a server process ended before it could serve", number=number, code=code)
        self._code = _exit_code(code) or _COULD_NOT_FIND_OUT
        self._leave(signal.SIGTERM)

    def _leave(self, number: int) -> None:
        """Pass the signal on. The second one kills them; so does time. They themselves heed only the first."""
        if self._left.is_set():
            self._code = self._code or 128 + number
            self._send_all(signal.SIGKILL)
            return
        settings = self._config.server
        self._left.set()
        self._first_serves.set()  # lets those go that wait for it
        self._listener.close()  # or those who connect would wait for nobody
        asyncio.get_running_loop().call_later(settings.drain_s + settings.finish_s + _CLOSING_S, self._kill)
        self._send_all(number)

    def _kill(self) -> None:
        pids = [process.pid for process in self._processes.values()]
        say(_log, logging.ERROR, "server processes did not leave in time", pids=pids)
        self._send_all(signal.SIGKILL)

    def _send_all(self, number: int) -> None:
        for process in self._processes.values():
            _send(process, number)


async def _tell(process: Process, config: ServiceConfig) -> None:
    """The configuration as it was read once: the file may be another by now. It holds no secret."""
    assert process.stdin is not None, "it is a pipe"
    with suppress(ConnectionError):  # it has ended; that is seen elsewhere
        process.stdin.write(config.model_dump_json().encode())
        await process.stdin.drain()
    process.stdin.close()


def _send(process: Process, number: int) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


def _exit_code(code: int) -> int:
    """Of the service, from that of a process that was told to leave: it may have been too young to hear it."""
    if code in (0, -signal.SIGTERM, -signal.SIGINT):
        return 0
    return code if code > 0 else _COULD_NOT_FIND_OUT
