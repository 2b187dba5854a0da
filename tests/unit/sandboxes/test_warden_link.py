"""The server's end of a warden, with the warden's end in the hands of the test: frames alone pass between them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sandboxes import warden_link
from sandboxes.errors import SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.inside.frames import HEAD, pack, unpack
from sandboxes.warden_link import WardenLink

TERMS = {"cpu_s": 1.0}
PATIENCE_S = 20.0


class Peer:
    """The other end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def heard(self) -> tuple[dict[str, Any], list[bytes]]:
        header_bytes, body_bytes = HEAD.unpack(await self._reader.readexactly(HEAD.size))
        return unpack(await self._reader.readexactly(header_bytes), await self._reader.readexactly(body_bytes))

    def answer(self, run: int, *blobs: bytes, lost: str | None = None) -> None:
        self.writer.write(pack({"run": run, "lost": lost}, blobs))


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[WardenLink, Peer]]:
    ours, theirs = socket.socketpair()
    link, peer = (
        WardenLink(*await asyncio.open_connection(sock=ours)),
        Peer(*await asyncio.open_connection(sock=theirs)),
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield link, peer
    finally:
        await link.close()
        peer.writer.close()


def started(link: WardenLink, policy: Callable[[], dict[str, Any]] = dict) -> Awaitable[dict[str, Any]]:
    return link.start("python", policy, "python3", spares=2, most=6)


def played(scenario: Callable[[WardenLink, Peer], Awaitable[None]]) -> None:
    async def play() -> None:
        async with linked() as (link, peer):
            await scenario(link, peer)

    asyncio.run(play())


def test_each_answer_finds_its_run_whatever_the_order():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        runs = [asyncio.create_task(link.run(7, TERMS, f"{number}".encode())) for number in range(3)]
        orders = [await peer.heard() for _ in runs]
        for header, (stdin,) in reversed(orders):
            peer.answer(header["run"], b"answer to " + stdin)
        assert [(await run)[1] for run in runs] == [[b"answer to 0"], [b"answer to 1"], [b"answer to 2"]]

    played(scenario)


def test_a_box_is_opened_with_its_files_and_closed_again():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        box = link.open("python", {"main": "main.py"}, [("main.py", b"pass", 0o644), ("empty", b"", 0o600)])
        link.close_box(box)
        opened, blobs = await peer.heard()
        assert opened == {
            "do": "open", "box": box, "policy": "python", "spec": {"main": "main.py"},
            "files": [["main.py", 0o644], ["empty", 0o600]],
        }  # fmt: skip
        assert blobs == [b"pass", b""]
        assert await peer.heard() == ({"do": "close", "box": box}, [])

    played(scenario)


def test_a_run_that_its_sandbox_did_not_survive_is_lost_with_the_reason():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        run = asyncio.create_task(link.run(1, TERMS, b""))
        header, _ = await peer.heard()
        peer.answer(header["run"], b"", b"", lost="its slot was killed")
        with pytest.raises(SandboxLost, match="its slot was killed"):
            await run

    played(scenario)


def test_an_answer_that_nobody_waits_for_any_more_disturbs_nobody():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        cancelled = asyncio.create_task(link.run(1, TERMS, b""))
        header, _ = await peer.heard()
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        peer.answer(header["run"], b"late")
        run = asyncio.create_task(link.run(1, TERMS, b""))
        header, _ = await peer.heard()
        peer.answer(header["run"], b"in time")
        assert (await run)[1] == [b"in time"]

    played(scenario)


@pytest.mark.parametrize("nonsense", [pack({"run": 99, "lost": None}), HEAD.pack(2, 0) + b"{{"])
def test_everybody_who_waits_is_told_when_the_warden_talks_nonsense(nonsense: bytes):
    everybody_is_told(nonsense, hangs_up=False)


@pytest.mark.parametrize("last_words", [b"", b"\0\0", pack({"run": 1, "lost": None}, [b"torn"])[:-1]])
def test_everybody_who_waits_is_told_when_the_warden_is_gone(last_words: bytes):
    everybody_is_told(last_words, hangs_up=True)


def everybody_is_told(last_words: bytes, *, hangs_up: bool) -> None:
    async def scenario(link: WardenLink, peer: Peer) -> None:
        policy = asyncio.create_task(started(link))
        runs = [asyncio.create_task(link.run(1, TERMS, b"")) for _ in range(3)]
        for _ in range(4):
            await peer.heard()
        peer.writer.write(last_words)
        if hangs_up:
            peer.writer.close()
        ends = await asyncio.gather(policy, link.hello(), *runs, return_exceptions=True)
        assert [type(end) for end in ends] == [SandboxLost] * 5
        assert link.lost
        with pytest.raises(SandboxLost):
            link.open("python", {}, [])
        link.close_box(1)  # nothing to close, and nothing to complain about

    played(scenario)


def test_closing_ends_every_wait():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        run = asyncio.create_task(link.run(1, TERMS, b""))
        await peer.heard()
        await link.close()
        with pytest.raises(SandboxLost, match="closed"):
            await run

    played(scenario)


def test_a_policy_is_started_once_for_all_who_want_it():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        wanted = [asyncio.create_task(started(link, lambda: {"name": "python"})) for _ in range(3)]
        order, _ = await peer.heard()
        assert order == {"do": "start", "policy": {"name": "python"}, "python": "python3", "spares": 2, "most": 6}
        peer.writer.write(pack({"policy": "python", "ready": True}))
        assert all(said["ready"] for said in await asyncio.gather(*wanted))
        assert (await started(link))["ready"]
        link.close_box(0)
        assert (await peer.heard())[0]["do"] == "close", "no second start was said before"

    played(scenario)


def test_a_policy_that_cannot_be_isolated_here_is_misconfigured_each_time_and_names_the_step():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        wanted = asyncio.create_task(started(link))
        await peer.heard()
        peer.writer.write(pack({"policy": "python", "error": "mount /tmp: Operation not permitted"}))
        for attempt in (wanted, started(link)):
            with pytest.raises(SandboxMisconfigured, match=r"python.*mount /tmp"):
                await attempt

    played(scenario)


def test_a_policy_that_could_not_even_be_written_down_is_tried_again():
    def fails() -> dict[str, Any]:
        raise SandboxMisconfigured("no such tool")

    async def scenario(link: WardenLink, peer: Peer) -> None:
        for _ in range(2):
            with pytest.raises(SandboxMisconfigured, match="no such tool"):
                await started(link, fails)

    played(scenario)


def test_a_warden_that_says_nothing_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warden_link, "_START_TIMEOUT_S", 0.01)

    async def scenario(link: WardenLink, peer: Peer) -> None:
        with pytest.raises(SandboxUnavailable, match="warden did not start"):
            await link.hello()
        with pytest.raises(SandboxUnavailable, match="fork server for python did not start"):
            await started(link)

    played(scenario)


def test_linked_runs_come_back_in_the_order_of_the_arguments():
    async def scenario(link: WardenLink, peer: Peer) -> None:
        both = asyncio.create_task(link.link((1, TERMS), (2, TERMS)))
        order, _ = await peer.heard()
        for run, said in zip(reversed(order["runs"]), (b"candidate", b"judge"), strict=True):
            peer.answer(run["run"], said)
        judge, candidate = await both
        assert (judge[1], candidate[1]) == ([b"judge"], [b"candidate"])

    played(scenario)
