"""The server's end of a warden: frames out, answers in, and a fault for every run when the warden is gone."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from sandboxes.errors import SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.inside.frames import HEAD, pack, unpack

Answer = tuple[dict[str, Any], list[bytes]]
_START_TIMEOUT_S = 60.0


class WardenLink:
    """One warden. Runs are futures by number; a policy is started once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._runs: dict[int, asyncio.Future[Answer]] = {}
        self._policies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._hello: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())
        self.lost = False

    async def hello(self) -> dict[str, Any]:
        """What the warden said first. Raises SandboxUnavailable when it says nothing."""
        return await self._within(_START_TIMEOUT_S, asyncio.shield(self._hello), "the warden did not start")

    async def start(
        self, name: str, policy: Callable[[], dict[str, Any]], python: str, *, spares: int, most: int
    ) -> dict[str, Any]:
        """Start the zygote of a policy, once, and give what it said.

        Args:
            name: of the policy.
            policy: makes what the zygote is told.
            python: the interpreter it runs in.
            spares: how many sandboxes wait ahead of their use.
            most: how many there may be at once.

        Raises:
            SandboxMisconfigured: it cannot be isolated as asked for here; the message says which step failed.
            SandboxUnavailable: it did not start in time.
        """
        if name not in self._policies:
            order = {"do": "start", "policy": policy(), "python": python, "spares": spares, "most": most}
            self._policies[name] = asyncio.get_running_loop().create_future()
            self._say(order)
        started = self._policies[name]
        if started.done():
            said = started.result()
        else:
            waiting = asyncio.shield(started)
            said = await self._within(_START_TIMEOUT_S, waiting, f"the fork server for {name} did not start")
        if "error" in said:
            raise SandboxMisconfigured(f"the sandbox for {name} cannot be built on this machine: {said['error']}")
        return said

    def open(self, policy: str, spec: dict[str, Any], files: Sequence[tuple[str, bytes, int]]) -> int:
        """A box for one submission; its number."""
        box = next(self._numbers)
        listed = [[path, mode] for path, _, mode in files]
        header = {"do": "open", "box": box, "policy": policy, "spec": spec, "files": listed}
        self._say(header, [data for _, data, _ in files])
        return box

    async def run(self, box: int, terms: dict[str, Any], stdin: bytes) -> Answer:
        """Run a box. Raises SandboxLost."""
        run = next(self._numbers)
        answer = self._expect(run)
        self._say({"do": "run", "box": box, "run": run, "terms": terms}, [stdin])
        return await self._told(answer)

    async def link(self, *orders: tuple[int, dict[str, Any]]) -> tuple[Answer, Answer]:
        """Run a judge and a candidate with a socket between them. Raises SandboxLost."""
        runs = [{"box": box, "run": next(self._numbers), "terms": terms} for box, terms in orders]
        answers = [self._expect(int(run["run"])) for run in runs]  # type: ignore[call-overload]
        self._say({"do": "link", "runs": runs})
        judge, candidate = [await self._told(answer) for answer in answers]
        return judge, candidate

    def close_box(self, box: int) -> None:
        """Nobody wants the box any more."""
        if not self.lost:
            self._say({"do": "close", "box": box})

    async def close(self) -> None:
        """Hang up: the warden ends, and everything it started with it."""
        self._give_up("the sandbox was closed")
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    def _say(self, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        if self.lost:
            raise SandboxLost("the process that keeps the sandboxes is gone")
        self._writer.write(pack(header, blobs))

    def _expect(self, run: int) -> "asyncio.Future[Answer]":
        self._runs[run] = asyncio.get_running_loop().create_future()
        return self._runs[run]

    async def _told(self, answer: "asyncio.Future[Answer]") -> Answer:
        try:
            await self._writer.drain()
        except ConnectionError:
            raise SandboxLost("the process that keeps the sandboxes ended") from None
        header, blobs = await answer
        if header["lost"]:
            raise SandboxLost(f"the sandbox ended in the middle of a run: {header['lost']}")
        return header, blobs

    async def _within(self, timeout_s: float, waiting: "asyncio.Future[dict[str, Any]]", what: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting
        except TimeoutError:
            raise SandboxUnavailable(f"{what} within {timeout_s:g} s") from None

    async def _listen(self) -> None:
        try:
            while True:
                header_bytes, body_bytes = HEAD.unpack(await self._reader.readexactly(HEAD.size))
                header = await self._reader.readexactly(header_bytes)
                self._hear(*unpack(header, await self._reader.readexactly(body_bytes)))
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:  # nobody waits for ever, not even if it talks nonsense
            self._give_up("the process that keeps the sandboxes ended")

    def _hear(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        if "hello" in header:
            self._hello.set_result(header)
        elif "policy" in header:
            self._policies[header["policy"]].set_result(header)
        else:
            answer = self._runs.pop(header["run"])
            if not answer.done():  # its caller may have been cancelled
                answer.set_result((header, blobs))

    def _give_up(self, why: str) -> None:
        self.lost = True
        self._writer.close()
        waiting: list[asyncio.Future[Any]] = [self._hello, *self._policies.values(), *self._runs.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(SandboxLost(why))
                future.exception()  # whoever waits is told; nobody has to wait
        self._runs.clear()
