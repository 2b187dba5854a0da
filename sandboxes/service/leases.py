"""Submissions that callers hold open from afar. One that its caller forgets is closed."""

import asyncio
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, field

from sandboxes.service.paced import PacedSandbox
from sandboxes.types import Program, SandboxResult, Submission
from sandboxes.wire import Busy

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Lease:
    """An open submission, and when it was wanted last."""

    submission: Submission
    task: "asyncio.Task[None]"
    last_run: float
    runs: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def idle_s(self) -> float:
        """How long nobody has run it."""
        return 0.0 if self.runs else asyncio.get_running_loop().time() - self.last_run

    async def run(self, stdin: bytes) -> SandboxResult:
        """Run it. Whoever goes away in the middle of a run does not want another. Raises SandboxFault."""
        self.runs += 1
        try:
            return await self.submission.run(stdin)
        except asyncio.CancelledError:
            self.ended.set()
            raise
        finally:
            self.runs -= 1
            self.last_run = asyncio.get_running_loop().time()


class Leases:
    """Leases by id. Each lives in a task of its own, so that a submission is closed where it was opened."""

    def __init__(self, sandbox: PacedSandbox, idle_s: float) -> None:
        """Nothing is open yet; a submission that is not run for `idle_s` is closed."""
        self._sandbox, self.idle_s = sandbox, idle_s
        self._leases: dict[str, Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._leases)

    def get(self, ident: str) -> Lease | None:
        """The lease of this id, if it is open."""
        return self._leases.get(ident)

    async def open(self, program: Program) -> str:
        """Open a submission; its id. Cancelled, it leaves nothing open.

        Raises:
            Busy: too many are open.
            SandboxFault: as the sandbox's `open`.
        """
        if self._sandbox.full:
            raise Busy("as many submissions are open as may be; come back later")
        opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._hold(program, opened))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            await asyncio.wait((task, opened), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return opened.result() if opened.done() else _raise(task)

    async def end(self, ident: str) -> None:
        """Close a submission, and come back when it is closed. One that is closed already is no error."""
        lease = self._leases.get(ident)
        if lease:
            lease.ended.set()
            await asyncio.wait((lease.task,))

    async def close(self) -> None:
        """Close every submission."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hold(self, program: Program, opened: "asyncio.Future[str]") -> None:
        task = asyncio.current_task()
        assert task is not None, "runs as a task"
        async with self._sandbox.open(program) as submission:
            ident = secrets.token_hex(16)
            lease = self._leases[ident] = Lease(submission, task, asyncio.get_running_loop().time())
            opened.set_result(ident)
            try:
                await self._until_unwanted(lease)
            finally:
                del self._leases[ident]

    async def _until_unwanted(self, lease: Lease) -> None:
        while not lease.ended.is_set() and (left_s := self.idle_s - lease.idle_s()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await lease.ended.wait()

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.info("a submission ended with %s", error)


def _raise(task: "asyncio.Task[None]") -> str:
    task.result()
    raise AssertionError("a submission that was not opened ends with an exception")
