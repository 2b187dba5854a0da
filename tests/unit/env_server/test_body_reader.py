"""Bodies that another process reads: the same comes of them, and nobody waits for what others sent."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from slow_checks import wait_for

from env_server.body_process import Reading
from env_server.body_reader import BodyReader
from env_server.envelope import open_and_check, open_envelope
from env_server.spool import LARGE_BYTES, Spool
from rewarders.digests import digest_bytes
from rewarders.errors import Overloaded, RequestError, TooLarge, Unavailable

SCORING = Reading(partial(open_envelope, most_items=3), 1000)


def spooled(body: bytes, piece: int = 60_000) -> Spool:
    spool = Spool()
    for start in range(0, len(body), piece):
        spool.add(body[start : start + piece])
    return spool


def with_reader(use: Callable[[BodyReader], Awaitable[Any]], niceness: int = 0, rest: float = 0.0) -> Any:
    async def run() -> Any:
        reader = BodyReader(niceness, rest)
        try:
            return await asyncio.wait_for(use(reader), 60)
        finally:
            await reader.close()

    return asyncio.run(run())


@pytest.mark.parametrize("size", [0, 1, 70_000, LARGE_BYTES, LARGE_BYTES + 1, 3 * LARGE_BYTES])
def test_a_body_is_whole_wherever_it_lies(size: int):
    body = os.urandom(size)
    spool = spooled(body)
    assert (spool.size, spool.is_large) == (size, size > LARGE_BYTES)
    assert spool.is_large or spool.content() == body
    assert os.pread(spool.file(), size + 1, 0) == body
    spool.close()
    spool.close()


@pytest.mark.parametrize(
    "body",
    [
        b'{"items": [{"task": {}}, 3], "run": {"id": "r", "step": 4}, "explain": true}',
        b"",
        b'{"items": [1, 2, 3, 4]}',
        b'{"items": 3}',
        b'{"items": [], "items": []}',
        b'{"items": [%s]}' % b",".join([b"1"] * 2000),
        b'{"items": [], "run": {"id": ""}}',
        b'{"items": ["\xff"]}',
    ],
)
def test_the_same_comes_of_a_body_in_either_process(body: bytes):
    def said(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except RequestError as error:
            return type(error), str(error), error.field, error.hint

    aside = said(lambda: with_reader(lambda reader: reader.read(spooled(body), SCORING, None)))
    assert aside == said(lambda: (SCORING.read(body), digest_bytes(body)))


def test_what_is_wrong_with_an_item_takes_its_place_and_its_group_stays():
    good = {"task": {"id": "t", "prompt": [{"role": "user", "content": "q"}], "rubric": "r.v1"}}
    good["completion"] = {"text": "a", "finish_reason": "stop"}
    bad = {**good, "group": "g", **{str(number): 1 for number in range(500)}}
    body = json.dumps({"items": [good, bad, 7]}).encode()
    checking = Reading(partial(open_and_check, most_items=3), 5000)
    items = with_reader(lambda reader: reader.read(spooled(body), checking, None))[0].items
    assert items[0] == good
    assert [(item.message, item.group) for item in items[1:]] == [
        ("the item: holds a field that is not known", "g"),
        ("the item: input should be a valid dictionary or instance of Item", None),
    ]


def test_whoever_sends_many_bodies_waits_for_his_own_and_another_does_not(tmp_path: Path):
    gate, done = tmp_path / "gate", list[str]()

    async def use(reader: BodyReader) -> None:
        async def read(name: str) -> None:
            body = json.dumps(name).encode()
            done.append((await reader.read(spooled(body), Reading(partial(wait_for, file=gate), 9), name[0]))[0])

        reading = []
        for name in ("a1", "a2", "a3", "b1"):
            reading.append(asyncio.create_task(read(name)))
            await asyncio.sleep(0.01)
        gate.touch()
        await asyncio.gather(*reading)

    with_reader(use)
    assert done == ["a1", "b1", "a2", "a3"]


def test_after_a_body_its_sender_rests_and_another_does_not():
    async def use(reader: BodyReader) -> Any:
        await reader.read(spooled(b'{"items": []}'), SCORING, "a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(spooled(b'{"items": []}'), SCORING, "a"), 0.5)
        return await reader.read(spooled(b'{"items": [1]}'), SCORING, "b")

    assert with_reader(use, rest=1e6)[0].items == [1]


def test_an_answer_that_nobody_waits_for_any_more_is_not_the_next_ones(tmp_path: Path):
    gate = tmp_path / "gate"
    waiting = Reading(partial(wait_for, file=gate), 9)

    async def use(reader: BodyReader) -> Any:
        given_up = asyncio.create_task(reader.read(spooled(b'"first"'), waiting, "a"))
        await asyncio.sleep(0.05)
        given_up.cancel()
        gate.touch()
        return (await reader.read(spooled(b'"second"'), waiting, "a"))[0]

    assert with_reader(use) == "second"


def test_a_process_that_is_killed_is_no_fault_of_the_body_and_is_replaced(tmp_path: Path):
    gate = tmp_path / "gate"
    gate.touch()
    asks = Reading(partial(wait_for, file=gate), 9)

    async def use(reader: BodyReader) -> tuple[int, int]:
        first, _ = await reader.read(spooled(b'"who"'), asks, None)
        gate.unlink()
        under_way = asyncio.create_task(reader.read(spooled(b'"who"'), asks, None))
        await asyncio.sleep(0.05)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await under_way
        gate.touch()
        return first, (await reader.read(spooled(b'"who"'), asks, None))[0]

    first, second = with_reader(use)
    assert first != second


def test_one_that_was_killed_while_nothing_was_to_be_read_fails_nobody(tmp_path: Path):
    (tmp_path / "gate").touch()
    asks = Reading(partial(wait_for, file=tmp_path / "gate"), 9)

    async def use(reader: BodyReader) -> tuple[int, int]:
        first, _ = await reader.read(spooled(b'"who"'), asks, None)
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        return first, (await reader.read(spooled(b'"who"'), asks, None))[0]

    first, second = with_reader(use)
    assert first != second


def test_a_reader_of_less_weight_is_of_less_weight(tmp_path: Path):
    (tmp_path / "gate").touch()
    asks = Reading(partial(wait_for, file=tmp_path / "gate"), 9)

    async def use(reader: BodyReader) -> tuple[int, bool]:
        process, _ = await reader.read(spooled(b'"who"'), asks, None)
        return os.getpriority(os.PRIO_PROCESS, process), os.getsid(process) == process

    niceness, apart = with_reader(use, niceness=3)
    assert niceness == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 3)
    assert apart


def test_too_many_values_are_refused_aside():
    body = b"[" + b",".join([b'"x"'] * 700_000) + b"]"
    with pytest.raises(TooLarge):
        with_reader(lambda reader: reader.read(spooled(body), SCORING, None))


def test_no_more_waits_than_memory_has_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("env_server.body_reader._MOST_WAITING_BYTES", 100)
    waiting = Reading(partial(wait_for, file=tmp_path / "gate"), 99)

    async def use(reader: BodyReader) -> list[Any]:
        first = asyncio.create_task(reader.read(spooled(b"1" + b" " * 200), waiting, "a"))
        second = asyncio.create_task(reader.read(spooled(b"2"), waiting, "b"))
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded):
            await second
        (tmp_path / "gate").touch()
        return [(await first)[0], (await reader.read(spooled(b"3" + b" " * 200), waiting, "b"))[0]]

    assert with_reader(use) == [1, 3]


def test_closing_it_ends_what_waits_and_starts_nothing(tmp_path: Path):
    waiting = Reading(partial(wait_for, file=tmp_path / "never"), 9)

    async def use(reader: BodyReader) -> list[Any]:
        reads = [asyncio.create_task(reader.read(spooled(b"1"), waiting, name)) for name in "abc"]
        await asyncio.sleep(0.2)
        await reader.close()
        with pytest.raises(Unavailable):
            await reader.read(spooled(b"1"), waiting, "d")
        return await asyncio.gather(*reads, return_exceptions=True)

    assert [type(each) for each in with_reader(use)] == [asyncio.CancelledError] * 3


def test_without_descriptors_it_is_us_who_are_busy(monkeypatch: pytest.MonkeyPatch):
    def none_left(*_: Any, **__: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("subprocess.Popen", none_left)
    with pytest.raises(Unavailable):
        with_reader(lambda reader: reader.read(spooled(b"1"), SCORING, None))
