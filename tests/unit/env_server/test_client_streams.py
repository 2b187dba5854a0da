"""What a client makes of an answer in lines, whole or cut. The other end is a socket that answers as told."""

import asyncio
from functools import partial

import pytest
from raw_items import raw_item
from scripted_endpoint import scripted_endpoint

from env_server.client import AsyncRewardClient, RequestRefused, RewardClient, ServiceUnreachable
from env_server.schemas import AnsweredPart, FailedPart, Item, Problem, ScoredItem, ScoredPart, Status, StreamEnd
from env_server.stream_reading import StreamReading

ITEMS = [Item.model_validate(raw_item(str(n))) for n in range(3)]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n"
BUSY = b"HTTP/1.1 503 X\r\ncontent-length: 0\r\nretry-after: 0\r\nconnection: close\r\n\r\n"


def part(*indices: int) -> bytes:
    items = tuple(ScoredItem(status=Status.SCORED, task_id=f"t{index}", reward=1.0) for index in indices)
    return AnsweredPart(indices=indices, items=items).model_dump_json().encode() + b"\n"


def failed(index: int, status: int) -> bytes:
    problem = Problem(type="t", title="t", status=status, detail="the disk is full")
    return FailedPart(indices=(index,), problem=problem).model_dump_json().encode() + b"\n"


END = StreamEnd(done=True, items=3, failed=0, groups=3).model_dump_json().encode() + b"\n"


def is_a_stream(fields: dict[str, str]) -> None:
    assert fields["accept"] == "application/x-ndjson"
    assert {"content-length", "idempotency-key"} <= fields.keys()


endpoint = partial(scripted_endpoint, check=is_a_stream, piece_bytes=97)


def stream(*answers: bytes, retries: int = 2) -> tuple[list[ScoredPart], list[str]]:
    async def run() -> tuple[list[ScoredPart], list[str]]:
        async with endpoint(*answers) as (url, keys), AsyncRewardClient(url, retries=retries) as client:
            return [one async for one in client.stream(ITEMS)], keys

    return asyncio.run(run())


def test_groups_are_handed_on_in_the_order_they_come():
    parts, keys = stream(HEAD + part(1) + b"\n\n" + part(2, 0) + END)
    assert [one.indices for one in parts] == [(1,), (2, 0)]
    assert [one.task_id for one in parts[1].items] == ["t2", "t0"]
    assert len(keys) == 1


@pytest.mark.parametrize(
    "cut",
    [b"", BUSY, HEAD, HEAD + part(1), HEAD + part(1)[:40], HEAD + part(1) + part(0)[:-1], HEAD + failed(0, 503) + END],
)
def test_a_stream_that_ends_early_is_gone_on_with_under_the_same_key_and_nothing_comes_twice(cut: bytes):
    parts, keys = stream(cut, HEAD + part(1) + part(0) + part(2) + END)
    assert sorted(one.indices for one in parts) == [(0,), (1,), (2,)]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_the_last_line_alone_does_not_stand_for_a_group_that_is_missing():
    with pytest.raises(ServiceUnreachable, match="failed 3 times; the last time: the answer was cut"):
        stream(*[HEAD + part(1) + part(0) + END] * 4)


def test_retries_count_anew_after_each_that_brought_something():
    busy = [BUSY] * 2
    parts, _ = stream(*busy, HEAD + part(0), *busy, HEAD + part(1), *busy, HEAD + part(2) + END)
    assert [one.indices for one in parts] == [(0,), (1,), (2,)]


def test_a_group_that_goes_on_failing_is_no_reward_and_says_why():
    with pytest.raises(ServiceUnreachable, match="the disk is full"):
        stream(*[HEAD + part(1, 2) + failed(0, 503) + END] * 4)


def test_a_group_that_is_refused_is_not_asked_for_again():
    with pytest.raises(RequestRefused, match="the disk is full") as caught:
        stream(HEAD + part(1, 2) + failed(0, 422) + END)
    assert caught.value.status == 422


@pytest.mark.parametrize("answer", [b'{"items": []}\n', part(7), part(0, 1, 2)[:-3] + b"\n", part(0) + part(0, 1)])
def test_what_is_no_answer_to_the_batch_is_told_from_one(answer: bytes):
    with pytest.raises(ServiceUnreachable, match="no reward service"):
        stream(HEAD + answer)


def test_nobody_at_the_address_is_an_error_of_a_thread_that_streams_too():
    with RewardClient("http://127.0.0.1:9", retries=0) as client, pytest.raises(ServiceUnreachable):
        list(client.stream(ITEMS))


def test_a_stream_that_is_still_being_answered_is_asked_for_however_long_it_takes():
    parts, keys = stream(*[BUSY.replace(b"503", b"409")] * 5, HEAD + part(0, 1, 2) + END, retries=1)
    assert [one.indices for one in parts] == [(0, 1, 2)]
    assert len(keys) == 6


class Piece(bytes):
    """Counts what is copied to put something in front of it."""

    copied = 0

    def __radd__(self, before: bytes) -> bytes:
        Piece.copied += len(before)
        return before + bytes(self)


def test_a_long_line_is_put_together_once():
    reading, line, parts = StreamReading(3), part(0, 1, 2), []
    for start in range(len(line)):
        parts += reading.feed(Piece(line[start : start + 1]))
    assert [one.indices for one in parts] == [(0, 1, 2)]
    assert Piece.copied <= len(line)
