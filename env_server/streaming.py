"""Answering a batch in lines: one for each group as soon as it is scored and durable, and one that says it is the end.

Groups are scored side by side and answered in the order in which they are done. Only so many are begun before their
forerunners have been sent, so that a client that does not read holds no more than that. When it goes away, what has
not been scored is dropped; what is being recorded is recorded, and kept for whoever asks again under the same key.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic_core import to_json

from env_server.engine import KeepReply
from env_server.idempotency import KeptParts
from env_server.problems import problem_of
from env_server.schemas import FailedPart, ReadItem, StreamEnd, group_named_by
from rewarders.errors import AssayError

MEDIA_TYPE = "application/x-ndjson"
BEAT_S = 10.0
"""After so long without a line an empty one says that the answer is still being worked on."""
_MOST_UNDER_WAY = 64


class Score(Protocol):
    """Scores and records some items."""

    def __call__(
        self, raw_items: Sequence[ReadItem], /, *, places: Sequence[int], keep: KeepReply | None
    ) -> Awaitable[bytes]:
        """The JSON of a `ScoreResponse`, one entry an item; problems name items by their places in the request."""


@dataclass(frozen=True)
class _Line:
    """What is sent of one group."""

    text: bytes
    items: int
    error: AssayError | None = None
    """Why there are no rewards in it, if there are none."""


@dataclass(frozen=True)
class Batch:
    """The items of a request, how they are scored, and where their answers are kept."""

    items: Sequence[ReadItem]
    groups: Sequence[Sequence[int]]
    """Places of the items that are answered together."""
    score: Score
    kept: KeptParts | None = None
    """None for a request without an idempotency key."""

    async def answer(self, number: int) -> _Line:
        """Score one group. What goes wrong with it is its own line: the others are answered all the same."""
        indices = self.groups[number]
        items = [self.items[index] for index in indices]
        try:
            if self.kept is None:
                answer = await self.score(items, places=indices, keep=None)
            else:
                answer = await self.kept.answer(number, lambda keep: self.score(items, places=indices, keep=keep))
        except AssayError as error:
            failed = FailedPart(indices=tuple(indices), problem=problem_of(error))
            return _Line(failed.model_dump_json(exclude_none=True).encode(), len(items), error)
        return _Line(b'{"indices":' + to_json(indices) + b"," + answer[1:], len(items))


def groups_of(items: Sequence[ReadItem]) -> list[tuple[int, ...]]:
    """Places of the items that belong together, in order of appearance; one without a group's name is alone."""
    places: dict[object, list[int]] = {}
    for index, item in enumerate(items):
        group = group_named_by(item)
        places.setdefault(index if group is None else group, []).append(index)
    return [tuple(together) for together in places.values()]


async def lines(batch: Batch) -> AsyncGenerator[bytes]:
    """The answer, in pieces of whole lines. Close it to drop what is not done.

    Groups that fail are told of in lines, and stop no other.

    Raises:
        AssayError: every group failed, and nothing was said before; this is why the first of them did.
    """
    ready: asyncio.Queue[_Line | None] = asyncio.Queue()
    room = asyncio.Semaphore(_MOST_UNDER_WAY)
    working = asyncio.create_task(_answer_all(batch, ready, room))
    working.add_done_callback(lambda _: ready.put_nowait(None))
    begun, failed, held = False, 0, list[_Line]()
    try:
        while not (working.done() and ready.empty()):
            done = await _taken(ready)
            failed += sum(line.items for line in done if line.error)
            held += done
            is_late = not (done or working.done())
            if is_late or (held and (begun or not all(line.error for line in held))):
                begun = True
                yield b"".join(line.text + b"\n" for line in held) or b"\n"
                held.clear()
            for _ in done:
                room.release()
        await working
    finally:
        working.cancel()
        await asyncio.wait({working})
    if held:  # what is said with a status needs no lines
        raise next(line.error for line in held if line.error)
    end = StreamEnd(done=True, items=len(batch.items) - failed, failed=failed, groups=len(batch.groups))
    yield end.model_dump_json().encode() + b"\n"


async def _answer_all(batch: Batch, ready: "asyncio.Queue[_Line | None]", room: asyncio.Semaphore) -> None:
    async def answer(number: int) -> None:
        ready.put_nowait(await batch.answer(number))

    async with asyncio.TaskGroup() as answering:
        for number in range(len(batch.groups)):
            await room.acquire()
            answering.create_task(answer(number))


async def _taken(ready: "asyncio.Queue[_Line | None]") -> list[_Line]:
    """What is ready, as much as there is at once; nothing where all are done, or it is time to say that we live."""
    try:
        async with asyncio.timeout(BEAT_S):
            taken = [await ready.get()]
    except TimeoutError:
        return []
    while not ready.empty():
        taken.append(ready.get_nowait())
    return [line for line in taken if line is not None]
