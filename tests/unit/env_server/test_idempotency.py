"""Many requests with keys at once: each is answered for itself, however their lookups are put together."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from env_server.engine import KeepReply
from env_server.idempotency import Replays
from env_server.ledger.kept_replies import KeptReply
from env_server.ledger.place import Place
from env_server.ledger.writer import LedgerWriter
from rewarders.errors import LedgerError


def ledger_in(folder: Path) -> LedgerWriter:
    return LedgerWriter(Place(folder), max_waiting_records=1000)


async def ask(replays: Replays, ledger: LedgerWriter, key: str) -> bytes:
    async def compute(keep: KeepReply) -> bytes:
        answer = f"new {key}".encode()
        await ledger.append([], KeptReply(keep.key, keep.request_digest, answer))
        return answer

    return await replays.answer(key, f"body of {key}".encode(), compute)


def test_keys_that_are_looked_up_together_are_answered_each_for_itself(tmp_path: Path):
    keys = [f"key-{number}" for number in range(40)]

    async def run(ledger: LedgerWriter) -> tuple[list[bytes], list[bytes]]:
        first = await asyncio.gather(*(ask(Replays(ledger), ledger, key) for key in keys[::2]))
        replays = Replays(ledger)  # as of a service that was started again
        return first, await asyncio.gather(*(ask(replays, ledger, key) for key in keys))

    with closing(ledger_in(tmp_path)) as ledger:
        first, second = asyncio.run(run(ledger))
    assert first == [f"new {key}".encode() for key in keys[::2]]
    assert second == [f"new {key}".encode() for key in keys]


def test_a_request_that_is_given_up_takes_no_other_with_it(tmp_path: Path):
    async def run(ledger: LedgerWriter) -> bytes:
        replays = Replays(ledger)
        given_up = asyncio.create_task(ask(replays, ledger, "given up"))
        await asyncio.sleep(0)
        others = asyncio.create_task(ask(replays, ledger, "other"))
        await asyncio.sleep(0)
        given_up.cancel()
        return await others

    with closing(ledger_in(tmp_path)) as ledger:
        assert asyncio.run(run(ledger)) == b"new other"


def test_a_database_that_cannot_be_read_fails_everyone_who_asked_and_nobody_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def cut(_: str) -> None:
        raise LedgerError("the disk is gone")

    async def run(ledger: LedgerWriter) -> list[object]:
        replays = Replays(ledger)
        monkeypatch.setattr(ledger, "kept_reply", cut)
        failed = await asyncio.gather(*(ask(replays, ledger, f"{n}") for n in range(5)), return_exceptions=True)
        monkeypatch.undo()
        return [*failed, await ask(replays, ledger, "0")]

    with closing(ledger_in(tmp_path)) as ledger:
        *failed, later = asyncio.run(run(ledger))
    assert [type(one) for one in failed] == [LedgerError] * 5
    assert later == b"new 0"


def test_the_parts_of_an_answer_are_kept_each_for_itself(tmp_path: Path):
    computed = []

    async def run(ledger: LedgerWriter) -> list[bytes]:
        async def compute(keep: KeepReply) -> bytes:
            computed.append(keep.key)
            await ledger.append([], KeptReply(keep.key, keep.request_digest, b"part"))
            return b"part"

        async with Replays(ledger).in_parts("key", b"body", 3) as parts:
            first = await parts.answer(1, compute)
        async with Replays(ledger).in_parts("key", b"body", 3) as parts:
            return [first, *[await parts.answer(number, compute) for number in range(3)]]

    with closing(ledger_in(tmp_path)) as ledger:
        assert asyncio.run(run(ledger)) == [b"part"] * 4
    assert len(computed) == len(set(computed)) == 3
