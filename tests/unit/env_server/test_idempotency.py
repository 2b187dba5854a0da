"""Many requests with keys at once: each is answered for itself, however their lookups are put together."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from env_server.engine import KeepReply
from env_server.idempotency import Replays
from env_server.ledger.kept_replies import KeptReply
from env_server.ledger.place import SQLITE_FILE, Place
from env_server.ledger.writer import LedgerWriter
from rewarders.digests import digest_bytes
from rewarders.errors import LedgerError, RequestError


def ledger_in(folder: Path) -> LedgerWriter:
    return LedgerWriter(Place(folder), max_waiting_records=1000)


async def ask(replays: Replays, ledger: LedgerWriter, key: str) -> bytes:
    async def compute(keep: KeepReply) -> bytes:
        answer = f"new {key}".encode()
        await ledger.append([], KeptReply(keep.key, keep.request_digest, answer))
        return answer

    return await replays.answer(key, digest_bytes(f"body of {key}".encode()), compute)


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


def test_an_answer_that_is_damaged_fails_those_who_asked_with_it_and_nobody_waits_for_ever(tmp_path: Path):
    async def run(ledger: LedgerWriter) -> list[object]:
        await asyncio.gather(*(ask(Replays(ledger), ledger, f"{n}") for n in range(2)))
        with closing(sqlite3.connect(tmp_path / SQLITE_FILE, isolation_level=None)) as other:
            other.execute("update replies set body = x'ff00' where key = '0'")
        replays = Replays(ledger)
        together = [asyncio.create_task(ask(replays, ledger, f"{n}")) for n in range(5)]
        async with asyncio.timeout(30):
            asked = await asyncio.gather(*together, return_exceptions=True)
        return [*asked, await ask(replays, ledger, "1")]

    with closing(ledger_in(tmp_path)) as ledger:
        *asked, later = asyncio.run(run(ledger))
    assert isinstance(asked[0], LedgerError)
    assert "damaged" in str(asked[0])
    assert later == b"new 1"


def test_a_lookup_that_ends_in_any_way_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def run(ledger: LedgerWriter) -> list[object]:
        replays = Replays(ledger)
        assert replays._lookups
        together = [asyncio.create_task(ask(replays, ledger, f"{n}")) for n in range(3)]
        await asyncio.sleep(0)
        assert replays._lookups._reading
        replays._lookups._reading.cancel()
        async with asyncio.timeout(30):
            return await asyncio.gather(*together, return_exceptions=True)

    with closing(ledger_in(tmp_path)) as ledger:
        assert [type(one) for one in asyncio.run(run(ledger))] == [LedgerError] * 3


def test_the_parts_of_an_answer_are_kept_each_for_itself(tmp_path: Path):
    computed = []

    async def run(ledger: LedgerWriter) -> list[bytes]:
        async def compute(keep: KeepReply) -> bytes:
            computed.append(keep.key)
            await ledger.append([], KeptReply(keep.key, keep.request_digest, b"part"))
            return b"part"

        async with Replays(ledger).in_parts("key", digest_bytes(b"body"), 3) as parts:
            first = await parts.answer(1, compute)
        async with Replays(ledger).in_parts("key", digest_bytes(b"body"), 3) as parts:
            return [first, *[await parts.answer(number, compute) for number in range(3)]]

    with closing(ledger_in(tmp_path)) as ledger:
        assert asyncio.run(run(ledger)) == [b"part"] * 4
    assert len(computed) == len(set(computed)) == 3


@pytest.mark.parametrize("kept_before", [True, False])
def test_a_part_of_another_bodys_answer_is_no_answer(tmp_path: Path, kept_before: bool):
    """The key is forgotten before the parts that were kept under it a moment later."""

    async def keep_part(ledger: LedgerWriter) -> None:
        await ledger.append([], KeptReply("key\x1f0", f"{digest_bytes(b'old body')} in parts", b"old part"))

    async def run(ledger: LedgerWriter) -> bytes:
        async def compute(keep: KeepReply) -> bytes:
            await ledger.append([], KeptReply(keep.key, keep.request_digest, b"new part"))
            return b"new part"

        if kept_before:
            await ledger.append([], KeptReply("key", f"{digest_bytes(b'new body')} in parts", b""))
            await keep_part(ledger)
        async with Replays(ledger).in_parts("key", digest_bytes(b"new body"), 1) as parts:
            if not kept_before:
                await keep_part(ledger)
            return await parts.answer(0, compute)

    with closing(ledger_in(tmp_path)) as ledger, pytest.raises(RequestError, match="another body"):
        asyncio.run(run(ledger))


def test_the_parts_of_an_answer_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    async def run(ledger: LedgerWriter) -> None:
        async with Replays(ledger).in_parts("key", digest_bytes(b"body"), 500):
            pass
        read = ledger.kept_replies
        monkeypatch.setattr(ledger, "kept_replies", lambda keys: asked.append(len(keys)) or read(keys))
        async with Replays(ledger).in_parts("key", digest_bytes(b"body"), 500):
            pass

    with closing(ledger_in(tmp_path)) as ledger:
        asyncio.run(run(ledger))
    assert asked == [500]
