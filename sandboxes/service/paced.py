"""A sandbox that runs a bounded number of programs at once and holds a bounded number of submissions open.

The backend underneath counts submissions, whether or not they run; were they the only bound, callers far away that
leave theirs open would hold up everybody else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sandboxes.types import Program, Sandbox, SandboxResult, Submission
from sandboxes.wire import Busy


class Turns:
    """A bounded number of turns; waiting for one is bounded too."""

    def __init__(self, count: int, wait_s: float, what: str) -> None:
        self._free, self._wait_s, self._what = asyncio.Semaphore(count), wait_s, what

    @property
    def taken(self) -> bool:
        """Whether all of them are."""
        return self._free.locked()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have one. Raises Busy."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise Busy(f"no {self._what} within {self._wait_s:g} s; come back later") from None
        try:
            yield
        finally:
            self._free.release()


class PacedSandbox:
    """Keeps the promise of `Sandbox`; every wait is bounded."""

    def __init__(self, sandbox: Sandbox, *, parallel: int, most_open: int, wait_s: float) -> None:
        """Stand before a backend that can hold `parallel + most_open` submissions.

        Args:
            sandbox: the backend.
            parallel: programs that run, or are compiled, at once.
            most_open: submissions open at once.
            wait_s: how long to wait for either.
        """
        self._sandbox = sandbox
        self._running = Turns(parallel, wait_s, "turn to run")
        self._opened = Turns(most_open, wait_s, "room for another submission")

    @property
    def backend(self) -> str:
        """The backend's own name."""
        return self._sandbox.backend

    @property
    def full(self) -> bool:
        """Whether no further submission can be opened just now."""
        return self._opened.taken

    def policy_digest(self, language: str) -> str:
        """The backend's own. Raises SandboxMisconfigured."""
        return self._sandbox.policy_digest(language)

    @asynccontextmanager
    async def open(self, program: Program) -> AsyncIterator[Submission]:
        """As the backend's. Raises SandboxFault."""
        async with self._opened.turn(), AsyncExitStack() as stack:
            async with self._running.turn():
                submission = await stack.enter_async_context(self._sandbox.open(program))
            yield PacedSubmission(submission, self._running)

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        """As the backend's. Raises SandboxFault."""
        async with self._running.turn():
            return await self._sandbox.run(program, stdin)

    async def run_linked(self, judge: Program, candidate: Program) -> tuple[SandboxResult, SandboxResult]:
        """As the backend's. Raises SandboxFault."""
        async with self._running.turn():
            return await self._sandbox.run_linked(judge, candidate)

    async def close(self) -> None:
        """Close the backend."""
        await self._sandbox.close()


class PacedSubmission:
    """A submission that waits for its turn to run."""

    def __init__(self, submission: Submission, running: Turns) -> None:
        self._submission, self._running = submission, running

    async def run(self, stdin: bytes = b"") -> SandboxResult:
        """As the backend's. Raises SandboxFault."""
        async with self._running.turn():
            return await self._submission.run(stdin)
