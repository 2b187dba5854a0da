"""Verdicts that need not be computed again: by content, for rewarders that only compute.

A `def` rewarder computes from its arguments alone, so its verdict is known by what it was given: by its name, version
and code, its params, and the completion and the part of the reference that it reads. The tenant is part of the key, or
how fast an answer comes would tell one what another had asked. Faults are not kept, nor is what a completion spent or
broke. Identical jobs that are under way at the same time are one.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from pydantic import JsonValue

from env_server.terms import Priority
from env_server.worker_process import Reply
from rewarders.digests import digest_bytes, ordered_json
from rewarders.registry import RewarderSpec
from rewarders.types import Completion, Verdict

Answer = asyncio.Future[Reply]
Key = bytes
_ENTRY_BYTES = 320
"""What an entry takes beside its verdict's JSON."""
_NOT_KEPT = frozenset({"too_costly", "crashed"})


class Remembered(Reply):
    """A reply that was computed before, or for somebody else."""


def key_of(tenant: str | None, part: str, spec: RewarderSpec, reference: JsonValue, completion: Completion) -> Key:
    """What the verdict of a pure rewarder is kept under.

    Args:
        tenant: who asks.
        part: digest of the rewarder and its params.
        spec: the rewarder.
        reference: the task's, whole.
        completion: what it judges.
    """
    # A digest of the canonical form does not tell the order of keys, which a rewarder that is given objects can.
    read = completion.digest if completion.messages is None else digest_bytes(ordered_json(completion.document))
    expected = digest_bytes(ordered_json(spec.project(reference)))
    return hashlib.sha256(ordered_json([tenant, part, expected, read])).digest()


class VerdictCache:
    """The verdicts that were used last, and the jobs under way that more than one may wait for."""

    def __init__(self, max_bytes: int) -> None:
        """Nothing is kept, and nothing shared, where `max_bytes` is 0."""
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._under_way: dict[tuple[Key, Priority], _Shared] = {}

    @property
    def is_on(self) -> bool:
        """Whether it is worth making keys."""
        return self._max_bytes > 0

    @property
    def size_bytes(self) -> int:
        """What is kept takes about as much."""
        return self._size_bytes

    def answers(
        self, keys: Sequence[Key | None], priority: Priority, submit: Callable[[Sequence[int]], Sequence[Answer]]
    ) -> list[Answer]:
        """An answer for each job; who does not wait for it any more cancels it.

        Args:
            keys: of the jobs; None for one that has to be computed whatever was said before.
            priority: theirs. Who is in a hurry never waits for the same job in a slower line.
            submit: begins the jobs at these places. What it raises leaves nothing behind.
        """
        known = [None if key is None else self._recall(key) for key in keys]
        first: dict[Key, int] = {}
        for place, key in enumerate(keys):
            if key is not None and known[place] is None and (key, priority) not in self._under_way:
                first.setdefault(key, place)
        places = [place for place, key in enumerate(keys) if key is None or first.get(key) == place]
        begun = dict(zip(places, submit(places), strict=True))
        for key, place in first.items():
            self._under_way[key, priority] = _Shared(begun[place], partial(self._done, key, priority))
        return [
            begun[place] if key is None else _answered(said) if said else self._under_way[key, priority].join()
            for place, (key, said) in enumerate(zip(keys, known, strict=True))
        ]

    def _recall(self, key: Key) -> Reply | None:
        verdict = self._kept.get(key)
        if verdict is None:
            return None
        self._kept.move_to_end(key)
        return Remembered(verdict=Verdict.model_validate_json(verdict))

    def _done(self, key: Key, priority: Priority, said: Reply | None) -> None:
        """A job was answered, or given up by all who waited for it."""
        del self._under_way[key, priority]
        if said is None or said.verdict is None or said.verdict.reason in _NOT_KEPT or key in self._kept:
            return
        verdict = self._kept[key] = said.verdict.model_dump_json().encode()
        self._size_bytes += len(verdict) + _ENTRY_BYTES
        while self._size_bytes > self._max_bytes:
            self._size_bytes -= len(self._kept.popitem(last=False)[1]) + _ENTRY_BYTES


class _Shared:
    """A job under way, and everybody who waits for it."""

    def __init__(self, source: Answer, done: Callable[[Reply | None], None]) -> None:
        self._source, self._done = source, done
        self._waiting: list[Answer] = []
        source.add_done_callback(self._tell)

    def join(self) -> Answer:
        """An answer of one's own."""
        answer: Answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(self._leave)
        self._waiting.append(answer)
        return answer

    def _leave(self, answer: Answer) -> None:
        if answer.cancelled() and not self._source.done() and all(one.done() for one in self._waiting):
            self._source.remove_done_callback(self._tell)
            self._source.cancel()
            self._done(None)

    def _tell(self, source: Answer) -> None:
        said = None if source.cancelled() else source.result()
        self._done(said)
        if said is None:
            return
        again = Remembered(verdict=said.verdict, fault=said.fault, invalid_field=said.invalid_field)
        for index, answer in enumerate(self._waiting):
            if not answer.done():
                answer.set_result(again if index else said)


def _answered(said: Reply) -> Answer:
    answer: Answer = asyncio.get_running_loop().create_future()
    answer.set_result(said)
    return answer
