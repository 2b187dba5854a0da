"""An answer in lines: what it holds, what it waits for, and what becomes of it when nobody reads."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from env_server import streaming
from env_server.engine import KeepReply
from env_server.schemas import RawItem, ScoredItem, ScoreResponse, Status
from env_server.streaming import Batch, groups_of, lines
from rewarders.errors import LedgerError, Overloaded

Doing = Callable[[Sequence[RawItem]], Any]


def item(name: str, group: str | None = None) -> RawItem:
    return {"name": name, "group": group}


def batch_of(items: Sequence[RawItem], meanwhile: Doing | None = None) -> Batch:
    """Items are scored 1 once what is to happen meanwhile has happened."""

    async def score(raw_items: Sequence[RawItem], *, places: Sequence[int], keep: KeepReply | None) -> bytes:
        if meanwhile:
            await meanwhile(raw_items)
        scored = (ScoredItem(status=Status.SCORED, task_id=one["name"], reward=1.0) for one in raw_items)
        return ScoreResponse(items=tuple(scored)).model_dump_json().encode()

    return Batch(items, groups_of(items), score)


async def read(batch: Batch) -> list[dict[str, Any]]:
    text = b"".join([piece async for piece in lines(batch)])
    assert text.endswith(b"\n")
    return [json.loads(line) for line in text.split(b"\n")[:-1] if line]


def test_items_of_a_group_share_a_line_and_the_others_are_alone():
    items = [item("a", "g"), item("b"), item("c", "g"), item("d", "h"), item("e")]
    assert groups_of(items) == [(0, 2), (1,), (3,), (4,)]


def test_a_group_whose_name_is_no_text_is_left_to_be_refused_alone():
    assert groups_of([{"group": ["x"]}, {"group": 1}, {"group": 1}, "no item"]) == [(0,), (1,), (2,), (3,)]


def test_every_group_is_answered_once_and_the_last_line_says_how_many():
    items = [item(str(n), f"g{n % 7}") for n in range(50)]
    *parts, end = asyncio.run(read(batch_of(items)))
    assert end == {"done": True, "items": 50, "failed": 0, "groups": 7}
    names = {index: one["task_id"] for part in parts for index, one in zip(part["indices"], part["items"], strict=True)}
    assert names == {n: str(n) for n in range(50)}


def test_a_batch_without_items_is_answered_by_the_last_line_alone():
    assert asyncio.run(read(batch_of([]))) == [{"done": True, "items": 0, "failed": 0, "groups": 0}]


def test_what_is_done_first_is_answered_first():
    async def run() -> list[list[int]]:
        gate = asyncio.Event()

        async def wait(items: Sequence[RawItem]) -> None:
            if items[0]["name"] == "slow":
                await gate.wait()

        seen = []
        async with aclosing(lines(batch_of([item("slow"), item("a"), item("b")], wait))) as pieces:
            async for piece in pieces:
                seen += [json.loads(line).get("indices") for line in piece.splitlines()]
                if len(seen) == 2:
                    gate.set()
        return seen

    assert asyncio.run(run()) == [[1], [2], [0], None]


def test_a_client_that_does_not_read_has_no_more_than_a_bounded_number_of_groups_begun():
    async def run() -> int:
        begun = 0

        async def count(_: Sequence[RawItem]) -> None:
            nonlocal begun
            begun += 1

        async with aclosing(lines(batch_of([item(str(n)) for n in range(1000)], count))) as pieces:
            await anext(pieces)
            for _ in range(5000):  # turns of the loop, in which everything could be scored
                await asyncio.sleep(0)
        return begun

    assert asyncio.run(run()) == streaming._MOST_UNDER_WAY


def test_closing_ends_the_work_that_is_under_way():
    async def run() -> list[str]:
        ended = []

        async def wait(items: Sequence[RawItem]) -> None:
            if items[0]["name"] == "quick":
                return
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(items[0]["name"])

        pieces = lines(batch_of([item("quick"), item("a"), item("b")], wait))
        await anext(pieces)
        await pieces.aclose()
        return ended

    assert sorted(asyncio.run(run())) == ["a", "b"]


def test_a_group_that_fails_is_a_line_and_its_neighbours_are_answered():
    async def run() -> list[dict[str, Any]]:
        first = asyncio.Event()

        async def fail(items: Sequence[RawItem]) -> None:
            if items[0]["name"] == "bad":
                await first.wait()
                raise LedgerError("the disk is full")
            first.set()

        return await read(batch_of([item("bad", "g"), item("worse", "g"), item("good")], fail))

    good, bad, end = asyncio.run(run())
    assert good["indices"] == [2]
    assert bad["indices"] == [0, 1]
    assert (bad["problem"]["status"], bad["problem"]["detail"]) == (503, "the disk is full")
    assert end == {"done": True, "items": 1, "failed": 2, "groups": 2}


def test_a_failure_before_anything_was_said_is_the_whole_answer():
    async def overloaded(_: Sequence[RawItem]) -> None:
        raise Overloaded("full")

    with pytest.raises(Overloaded):
        asyncio.run(read(batch_of([item("a"), item("b")], overloaded)))


def test_what_nobody_foresaw_cuts_the_answer_before_its_last_line():
    async def run() -> None:
        first = asyncio.Event()

        async def break_down(items: Sequence[RawItem]) -> None:
            if items[0]["name"] == "b":
                await first.wait()
                raise ZeroDivisionError
            first.set()

        pieces = lines(batch_of([item("a"), item("b")], break_down))
        assert b'"indices":[0]' in await anext(pieces)
        with pytest.raises(ExceptionGroup):
            await anext(pieces)

    asyncio.run(run())


def test_silence_is_broken_by_empty_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "BEAT_S", 0.01)

    async def run() -> list[bytes]:
        gate = asyncio.Event()

        async def wait(_: Sequence[RawItem]) -> None:
            await gate.wait()

        seen: list[bytes] = []
        async for piece in lines(batch_of([item("a")], wait)):
            seen.append(piece)
            if len(seen) == 3:
                gate.set()
        return seen

    assert asyncio.run(run())[:3] == [b"\n"] * 3


def all_fail_until(gate: str | None) -> Doing:
    """Every item's group fails, but for this one's, which is scored once the others have failed."""

    async def fail(items: Sequence[RawItem]) -> None:
        if items[0]["name"] != gate:
            raise Overloaded("full")
        for _ in range(10):
            await asyncio.sleep(0)

    return fail


def test_groups_that_fail_first_stop_no_other():
    items = [item("a"), item("good"), item("b")]
    *parts, end = asyncio.run(read(batch_of(items, all_fail_until("good"))))
    assert sorted(part["indices"] for part in parts) == [[0], [1], [2]]
    assert [part["items"][0]["reward"] for part in parts if "items" in part] == [1.0]
    assert end == {"done": True, "items": 1, "failed": 2, "groups": 3}


def test_more_groups_fail_than_are_begun_at_once_and_the_last_is_answered():
    items = [item(str(number)) for number in range(200)]
    *_, end = asyncio.run(read(batch_of(items, all_fail_until("199"))))
    assert end == {"done": True, "items": 1, "failed": 199, "groups": 200}


def test_a_failure_after_an_empty_line_is_a_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "BEAT_S", 0.01)

    async def run() -> list[bytes]:
        gate = asyncio.Event()

        async def fail(_: Sequence[RawItem]) -> None:
            await gate.wait()
            raise Overloaded("full")

        seen: list[bytes] = []
        async for piece in lines(batch_of([item("a")], fail)):
            seen.append(piece)
            gate.set()
        return seen

    beat, *_, failed, end = asyncio.run(run())
    assert beat == b"\n"
    assert json.loads(failed)["problem"]["status"] == 503
    assert json.loads(end) == {"done": True, "items": 0, "failed": 1, "groups": 1}
