"""The server's end of a warden in a container: the same frames, through the engine."""

import asyncio
import logging
import struct
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol

from sandboxes.errors import SandboxLost
from sandboxes.warden_link import Answer, WardenLink

LOG = logging.getLogger(__name__)
_STREAM_HEAD = struct.Struct("!BxxxI")
"""How the engine marks each piece: which stream it comes from, and its length."""
_STDOUT = 1
_COMPLAINT_BYTES = 2000
_LATEST, _MARGIN_S = 5, 60.0
"""A warden lets a run last up to so many times its wall limit, as long as the machine is what keeps it waiting."""
_TIDY_TIMEOUT_S = 10.0
_KILLED: dict[str, Any] = {
    "status": None, "stopped": None, "truncated": False, "out_of_memory": False, "cpu_s": 0.0, "peak_bytes": 0,
    "lost": None, "files": [],
}  # fmt: skip


class Host(Protocol):
    """What the engine knows and can do."""

    async def carry(self, request_bytes: int) -> None:
        """Give the container memory for a request of that size. Raises SandboxFault."""

    async def ended_by_its_program(self, since: float, *, hangs: bool) -> dict[str, Any] | None:
        """What is known of an end that its program brought about; None of any other.

        Args:
            since: when the program was started (seconds of the epoch).
            hangs: the container is still there, and does not answer.

        Raises:
            SandboxFault: the engine does not say.
        """


class ContainerLink(WardenLink):
    """A warden in a container. Its answers may be late or never come, for the engine is between us."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: Host) -> None:
        """Listening begins at once.

        Args:
            reader: the container's standard streams, in the engine's framing.
            writer: its standard input.
            host: the container as the engine knows it.
        """
        self.complaint = b""
        """The end of what came on standard error."""
        self._host = host
        self._said: dict[str, asyncio.Future[Any]] = {}
        self._taken: dict[int, asyncio.Future[None]] = {}
        self._pieces: dict[int, asyncio.Queue[bytes]] = {}
        frames = asyncio.StreamReader()
        self._separating = asyncio.create_task(self._separate(reader, frames))
        super().__init__(frames, writer)

    async def run(self, box: int, terms: dict[str, Any], stdin: bytes) -> Answer:
        """Run a box. Raises SandboxLost."""
        await self._host.carry(len(stdin))
        return await self._watched(super().run(box, terms, stdin), terms)

    async def join(self, box: int, terms: dict[str, Any]) -> Answer:
        """Run a box whose link leads here; what it writes there is `piece`d. Raises SandboxLost."""
        run = next(self._numbers)
        answer = self._expect(run)
        self._say({"do": "join", "box": box, "run": run, "terms": terms})
        return await self._watched(self._told(answer), terms)

    def open_pieces(self, box: int) -> None:
        """Get ready for what the box will write."""
        self._pieces[box] = asyncio.Queue()

    async def piece(self, box: int) -> bytes:
        """The next piece of what the box writes to its link; empty when that has ended."""
        return await self._pieces[box].get()

    def go_on(self, box: int) -> None:
        """The last piece has been taken: read another."""
        if not self.lost:
            self._say({"do": "go_on", "box": box})

    async def feed(self, box: int, piece: bytes) -> None:
        """Give the box what the other one wrote, and wait until it has taken it. Raises SandboxLost."""
        self._taken[box] = asyncio.get_running_loop().create_future()
        self._say({"do": "feed", "box": box}, [piece])
        await self._taken[box]

    def stop(self, box: int) -> None:
        """End what the box runs: nobody wants it any more."""
        if not self.lost:
            self._say({"do": "stop", "box": box})

    async def started(self, policy: str) -> dict[str, Any]:
        """What the fork server of a policy said when it had started. Raises SandboxFault."""
        return await self._within(_MARGIN_S, asyncio.shield(self._policies[policy]), f"the fork server for {policy}")

    async def survey(self, languages: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """What the image has for the languages. Raises SandboxFault."""
        self._say({"do": "survey", "languages": languages})
        found: dict[str, dict[str, Any]] = await self._reply("survey", _MARGIN_S)
        return found

    async def mess(self) -> str:
        """What is left of earlier submissions and could not be cleared up; empty for nothing. Raises SandboxFault."""
        self._say({"do": "tidy"})
        left: str = await self._reply("mess", _TIDY_TIMEOUT_S)
        return left

    async def close(self) -> None:
        """Hang up: the container ends."""
        self._separating.cancel()
        await asyncio.gather(self._separating, return_exceptions=True)
        await super().close()

    async def _watched(self, running: Coroutine[Any, Any, Answer], terms: dict[str, Any]) -> Answer:
        started = time.time()
        try:
            async with asyncio.timeout(terms["wall_s"] * _LATEST + _MARGIN_S):
                return await running
        except (TimeoutError, SandboxLost) as error:
            hangs = isinstance(error, TimeoutError)
            if not (hangs or self.lost):  # the warden itself says that it lost a sandbox
                raise
            self._give_up("the container does not answer")
            known = await self._host.ended_by_its_program(started, hangs=hangs)
            if known is None:
                raise SandboxLost("the container did not answer in time" if hangs else str(error)) from error
            return {**_KILLED, **known, "wall_s": time.time() - started}, [b"", b""]

    def _reply(self, name: str, timeout_s: float) -> Awaitable[Any]:
        self._said[name] = asyncio.get_running_loop().create_future()
        return self._within(timeout_s, self._said[name], "the container did not answer")

    def _hear(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        if "relay" in header:
            self._pieces[header["relay"]].put_nowait(blobs[0])
        elif "relayed" in header:
            _settle(self._taken[header["relayed"]], None)
        elif name := header.keys() & self._said.keys():
            _settle(self._said[min(name)], header[min(name)])
        else:
            super()._hear(header, blobs)

    def _give_up(self, why: str) -> None:
        super()._give_up(why)
        for future in (*self._taken.values(), *self._said.values()):
            if not future.done():
                future.set_exception(SandboxLost(why))
                future.exception()
        for pieces in self._pieces.values():
            pieces.put_nowait(b"")  # the other program sees its link end

    async def _separate(self, streams: asyncio.StreamReader, frames: asyncio.StreamReader) -> None:
        try:
            while True:
                stream, size = _STREAM_HEAD.unpack(await streams.readexactly(_STREAM_HEAD.size))
                piece = await streams.readexactly(size)
                if stream == _STDOUT:
                    frames.feed_data(piece)
                else:
                    LOG.warning("a container says: %s", piece.decode("utf-8", "replace").rstrip())
                    self.complaint = (self.complaint + piece)[-_COMPLAINT_BYTES:]
        except (ConnectionError, asyncio.IncompleteReadError):
            frames.feed_eof()


class Joint:
    """Two linked boxes in two containers: what one writes to its link is carried to the other."""

    def __init__(self, judge: WardenLink, candidate: WardenLink) -> None:
        assert isinstance(judge, ContainerLink), "where there is one warden for both, it links them"
        assert isinstance(candidate, ContainerLink), "where there is one warden for both, it links them"
        self._judge, self._candidate = judge, candidate

    async def link(self, *orders: tuple[int, dict[str, Any]]) -> tuple[Answer, Answer]:
        """Run both; when the judge has ended the candidate is ended. Raises SandboxLost."""
        (judge, judge_terms), (candidate, candidate_terms) = orders
        self._judge.open_pieces(judge)
        self._candidate.open_pieces(candidate)
        tasks = [
            asyncio.create_task(_carry(self._judge, judge, self._candidate, candidate)),
            asyncio.create_task(_carry(self._candidate, candidate, self._judge, judge)),
            candidate_runs := asyncio.create_task(self._candidate.join(candidate, candidate_terms)),
        ]
        try:
            judged = await self._judge.join(judge, judge_terms)
            self._candidate.stop(candidate)
            return judged, await candidate_runs
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(source: ContainerLink, from_box: int, target: ContainerLink, to_box: int) -> None:
    while piece := await source.piece(from_box):
        await target.feed(to_box, piece)
        source.go_on(from_box)
    await target.feed(to_box, b"")


def _settle(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():  # whoever asked may have been cancelled
        future.set_result(result)
