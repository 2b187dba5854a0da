"""The server's end of the nursery and of one worker. What they do is in `worker_process.py`."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from env_server.blame import Ending
from env_server.config import PluginsConfig
from env_server.observing.exposition import SHARED_DIR
from env_server.stepping_aside import awaited_core_s
from env_server.worker_process import FRAME, MESSAGE_BYTES, Job, Reply, pack_jobs
from rewarders.errors import PluginError, RewarderFault

_START_TIMEOUT_S = 60.0
_ASK_TIMEOUT_S = 10.0
_MOST_REPLY_BYTES = 1024**2
"""A verdict holds its evidence and little else."""
_ANSWER = re.compile(rb"([0-9]{1,19}) ([0-9]{1,10})")
"""The number of the question, and what it comes to."""
_LOOK_EVERY = 32
"""Jobs between two looks at how much memory a worker has: each costs some microseconds."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


def environment_of_others() -> dict[str, str]:
    """What a plug-in with a virtual environment inherits: what starts a Python, and none of the service's secrets."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def _environment_of_ours() -> dict[str, str]:
    """All of it, but for where the server processes keep their metrics: what a plug-in counts is its own."""
    return {name: value for name, value in os.environ.items() if name != SHARED_DIR}


class Nursery:
    """A process that has imported every plug-in and forks workers in milliseconds."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._one_question = asyncio.Lock()
        self._asked = 0

    @classmethod
    async def start(
        cls, plugins: PluginsConfig, memory_bytes: int, fingerprint: str, python: Path | None = None
    ) -> Self:
        """Start the process and wait until its plug-ins are imported.

        Args:
            plugins: whose rewarders it loads.
            memory_bytes: address space of each worker.
            fingerprint: of the registry whose versions and digests go on record.
            python: interpreter of a virtual environment, which then sees nothing of ours.

        Raises:
            PluginError: a plug-in does not load there, or not in time, or its code is not the code that would go on
                record.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        load = "*" if plugins.load is None else ",".join(plugins.load)
        arguments = [str(theirs.fileno()), str(memory_bytes), load, ",".join(plugins.modules)]
        interpreter = [str(python), "-I"] if python else [sys.executable]
        command = [*interpreter, "-m", "env_server.worker_process", *arguments]
        with theirs:
            # Started from the main thread: PR_SET_PDEATHSIG fires when the *thread* that forked ends.
            process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                env=environment_of_others() if python else _environment_of_ours(),
            )  # fmt: skip
        ours.setblocking(False)
        nursery = cls(process, ours)
        try:
            _check_ready((await nursery._answer(_START_TIMEOUT_S)).decode("utf-8", "replace"), fingerprint)
        except RewarderFault as error:
            nursery.close()
            raise PluginError(f"the rewarders were not loaded within {_START_TIMEOUT_S:g} s: {error}") from error
        except PluginError:
            nursery.close()
            raise
        return nursery

    async def fork(self, *, aside: bool = False) -> "Worker":
        """A fresh worker, of less weight if it is set aside. Raises RewarderFault when the nursery is gone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ExitStack() as unless_handed_over:
            unless_handed_over.enter_context(ours)
            with theirs:
                pid = await self._ask(b"fork aside" if aside else b"fork here", [theirs.fileno()])
            reader, writer = await asyncio.open_connection(sock=ours)
            unless_handed_over.pop_all()
        return Worker(self, pid, reader, writer)

    async def reap(self, pid: int) -> int:
        """End a worker, if it has not ended; its wait status. Raises RewarderFault when the nursery is gone.

        The nursery ends it, not we: a pid that code of a plug-in could have written is nothing to send signals to.
        """
        return await self._ask(b"reap %d" % pid)

    async def _ask(self, question: bytes, descriptors: Sequence[int] = ()) -> int:
        """Raises RewarderFault when the nursery is gone, PluginError when something else writes where it answers."""
        async with self._one_question:
            self._asked += 1
            try:
                socket.send_fds(self._control, [b"%d %s" % (self._asked, question)], descriptors)
            except OSError as error:
                raise RewarderFault("the worker processes are gone", retryable=True) from error
            said = _ANSWER.fullmatch(await self._answer(_ASK_TIMEOUT_S))
            if said and int(said[1]) == self._asked:
                return int(said[2])
            self._process.kill()  # what it said is not to be relied on; the next question finds it gone
            raise PluginError("something that was loaded writes into the protocol of the worker processes")

    async def _answer(self, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                said = await asyncio.get_running_loop().sock_recv(self._control, MESSAGE_BYTES)
        except (TimeoutError, OSError):
            said = b""
        if not said and self._process.poll() is None:
            self._process.kill()
        if not said:
            raise RewarderFault("the worker processes are gone", retryable=True)
        return said

    def close(self) -> None:
        """End the nursery; its workers end with it."""
        self._control.close()
        self._process.kill()
        self._process.wait()


def _check_ready(said: str, fingerprint: str) -> None:
    kind, _, rest = said.partition(" ")
    if kind == "error":
        raise PluginError(rest)
    if (kind, rest) != ("ready", fingerprint):
        raise PluginError(
            "the rewarders on disk are not the ones this service loaded when it started",
            hint="start the service again, so that the versions it records are those that run",
        )


class Worker:
    """One forked process and the socket to it."""

    def __init__(self, nursery: Nursery, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._nursery, self.pid = nursery, pid
        self._reader, self._writer = reader, writer
        self._born_bytes, self._look_at = _address_space_bytes(pid), _LOOK_EVERY
        self.answered = 0
        """Jobs, so far."""

    async def send(self, jobs: Sequence[Job]) -> None:
        """Hand over jobs. Raises ConnectionError when the worker is gone."""
        self._writer.write(pack_jobs(jobs))
        await self._writer.drain()

    async def receive(self) -> Reply:
        """The answer to the oldest job unanswered.

        Raises:
            ConnectionError, IncompleteReadError: the worker is gone, or was taken over by what it read.
        """
        header = await self._reader.readexactly(FRAME.size)
        (size,) = FRAME.unpack(header)
        if size > _MOST_REPLY_BYTES:
            raise ConnectionError("the worker does not speak the protocol any more")
        answer = await self._reader.readexactly(size)
        self.answered += 1
        try:
            return Reply.model_validate_json(answer)
        except ValidationError:
            raise ConnectionError("the worker does not speak the protocol any more") from None

    def awaited_core_s(self) -> float:
        """How long it has waited for a core in its life: no time of its own."""
        return awaited_core_s(self.pid)

    async def ending(self, attempt: int, *, overdue: bool) -> Ending:
        """How the worker ended, after making sure that it did."""
        status = await self._nursery.reap(self.pid)
        if os.WIFSIGNALED(status):
            return Ending(attempt, signal=os.WTERMSIG(status), overdue=overdue)
        return Ending(attempt, exit_code=os.waitstatus_to_exitcode(status), overdue=overdue)

    def is_worn(self, jobs: int, share: float, memory_bytes: int) -> bool:
        """Whether it has answered so many jobs, or grown by this share of the memory that it had left when fresh."""
        if self.answered >= jobs:
            return True
        if self.answered < self._look_at:
            return False
        self._look_at = self.answered + _LOOK_EVERY
        left_bytes = max(0, memory_bytes - self._born_bytes)
        return _address_space_bytes(self.pid) - self._born_bytes > share * left_bytes

    async def retire(self) -> None:
        """End it although nothing is wrong with it; it must hold no job."""
        with suppress(RewarderFault, PluginError):  # then it has ended with its nursery
            await self._nursery.reap(self.pid)

    async def close(self) -> None:
        """Let go of the socket; a worker that is still there ends by itself."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


def _address_space_bytes(pid: int) -> int:
    """Of a process; 0 if it has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
