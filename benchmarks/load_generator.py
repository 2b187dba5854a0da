"""Requests for the reward service that cost their sender little, so that what is measured is the service.

Bodies are made beforehand; each is sent with another number in its completions, so that nothing comes twice. HTTP/1.1
over plain sockets, one request under way on each, every one with an idempotency key as the real client sends them.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from uuid import uuid4

from env_server.schemas import Item, Run, ScoreRequest

NUMBER = "0" * 12
"""Stands in a completion where its request's number goes."""
SCORED = b'"status":"scored"'


@dataclass
class Answers:
    """What came of the requests."""

    moments_s: list[float] = field(default_factory=list)
    """When each was answered."""
    took_s: list[float] = field(default_factory=list)
    items: int = 0
    """Of them, those that were scored."""
    refused: int = 0
    """Requests that were answered 429 or 503, and sent again."""


@dataclass(frozen=True)
class Bodies:
    """A body with a place for a number."""

    template: bytes
    items: int

    @classmethod
    def of(cls, items: list[Item], run: str = "load") -> "Bodies":
        """A body whose items have `NUMBER` in their completions."""
        body = ScoreRequest(items=items, run=Run(id=run, step=0)).model_dump_json(exclude_none=True).encode()
        return cls(body, len(items))

    def numbered(self) -> Iterator[bytes]:
        """The body again and again, never the same."""
        for number in count(1):
            yield self.template.replace(NUMBER.encode(), b"%012d" % number)


class Connection:
    """One connection that is kept alive."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)

    async def ask(self, body: bytes, key: str, path: str = "/v1/score") -> tuple[int, bytes]:
        """Send one request, and answer its status and body."""
        fields = f"host: {self._host}:{self._port}\r\ncontent-type: application/json\r\nidempotency-key: {key}"
        self._writer.write(f"POST {path} HTTP/1.1\r\n{fields}\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        self._writer.write(body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def load(
    url: str,
    bodies: Iterator[bytes],
    streams: int,
    until: Callable[[Answers], bool],
    path: str = "/v1/score",
    scored: bytes = SCORED,
) -> Answers:
    """Keep so many requests under way, each on a connection of its own, until the answers are enough.

    `scored` stands in an answer once for every item that has its reward.

    Raises:
        RuntimeError: a request was refused for good.
    """
    host, port = url.removeprefix("http://").split(":")
    answers = Answers()

    async def stream() -> None:
        connection = Connection(host, int(port))
        await connection.open()
        while not until(answers):
            await _answered(connection, next(bodies), answers, path, scored)
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(stream())
    return answers


async def _answered(connection: Connection, body: bytes, answers: Answers, path: str, scored: bytes) -> None:
    began_s, key = time.perf_counter(), uuid4().hex
    while True:
        status, answer = await connection.ask(body, key, path)
        if status == 200:
            break
        if status not in (429, 503):
            raise RuntimeError(f"status {status}: {answer[:500]!r}")
        answers.refused += 1
        await asyncio.sleep(0.1)
    now_s = time.perf_counter()
    answers.moments_s.append(now_s)
    answers.took_s.append(now_s - began_s)
    answers.items += answer.count(scored)
