"""Verdicts that are not computed again: which, for whom, and for how long."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from raw_items import raw_item

from env_server.principal import Principal
from env_server.schemas import ScoredItem, ScoreResponse
from env_server.terms import STANDARD, Priority, Terms
from env_server.verdict_cache import Key, Remembered, VerdictCache
from env_server.worker_process import Reply, reply
from rewarders.types import Fault, Verdict

VERDICT = reply(Verdict(score=0.5, reason="measured"), cpu_s=1.0, wall_s=2.0)


@dataclass
class Work:
    """What was begun, to be answered when the test says so."""

    cache: VerdictCache
    begun: list["asyncio.Future[Reply]"] = field(default_factory=list)

    def ask(self, *keys: Key | None, priority: Priority = Priority.NORMAL) -> "list[asyncio.Future[Reply]]":
        def submit(places: Sequence[int]) -> "list[asyncio.Future[Reply]]":
            futures = [asyncio.get_running_loop().create_future() for _ in places]
            self.begun += futures
            return futures

        return self.cache.answers(keys, priority, submit)

    async def answer(self, said: Reply = VERDICT) -> None:
        for future in self.begun:
            if not future.done():
                future.set_result(said)
        await asyncio.sleep(0.01)


def working(test: Callable[[Work], object], max_bytes: int = 10_000) -> None:
    async def run() -> None:
        await test(Work(VerdictCache(max_bytes)))  # type: ignore[misc]

    asyncio.run(run())


def test_what_was_said_once_is_not_computed_again_and_cost_nothing():
    async def test(work: Work) -> None:
        (first,) = work.ask(b"k")
        await work.answer()
        (again,) = work.ask(b"k")
        assert (await first) is VERDICT
        said = await again
        assert isinstance(said, Remembered)
        assert (said.verdict, said.cpu_s, said.wall_s, len(work.begun)) == (VERDICT.verdict, 0.0, 0.0, 1)

    working(test)


def test_identical_jobs_under_way_are_one_and_those_without_a_key_are_not():
    async def test(work: Work) -> None:
        answers = work.ask(b"k", None, b"k", None, b"j") + work.ask(b"k")
        assert len(work.begun) == 4
        await work.answer()
        said = [await answer for answer in answers]
        assert [isinstance(one, Remembered) for one in said] == [False, False, True, False, False, True]
        assert {one.verdict and one.verdict.score for one in said} == {0.5}

    working(test)


@pytest.mark.parametrize(
    "said",
    [
        reply(Fault(kind="RewarderFault", message="gone", retryable=True)),
        reply(Verdict(score=0.0, reason="too_costly")),
        reply(Verdict(score=0.0, reason="crashed")),
        Reply(fault=Fault(kind="InvalidTask", message="no"), invalid_field="task.reference"),
    ],
)
def test_a_fault_and_what_a_completion_spent_or_broke_are_computed_anew(said: Reply):
    async def test(work: Work) -> None:
        shared = work.ask(b"k", b"k")
        await work.answer(said)
        assert [(await one).fault for one in shared] == [said.fault] * 2
        assert [(await one).invalid_field for one in shared] == [said.invalid_field] * 2
        work.ask(b"k")
        assert len(work.begun) == 2

    working(test)


def test_who_gives_up_leaves_the_work_to_the_others_and_the_last_one_ends_it():
    async def test(work: Work) -> None:
        first, second = work.ask(b"k", b"k")
        first.cancel()
        await asyncio.sleep(0.01)
        assert not work.begun[0].cancelled()
        second.cancel()
        await asyncio.sleep(0.01)
        assert work.begun[0].cancelled()
        (third,) = work.ask(b"k")
        await work.answer()
        assert (await third) is VERDICT

    working(test)


def test_who_is_in_a_hurry_does_not_wait_in_a_slower_line():
    async def test(work: Work) -> None:
        work.ask(b"k", priority=Priority.BACKGROUND)
        work.ask(b"k", priority=Priority.INTERACTIVE)
        assert len(work.begun) == 2
        await work.answer()
        work.ask(b"k")
        assert len(work.begun) == 2

    working(test)


def test_what_was_not_asked_for_longest_makes_room():
    async def test(work: Work) -> None:
        for key in (b"a", b"b", b"a", b"c"):
            work.ask(key)
            await work.answer()
        work.ask(b"a")
        assert len(work.begun) == 3
        work.ask(b"b")
        assert len(work.begun) == 4

    working(test, max_bytes=800)


def test_a_verdict_larger_than_the_cache_is_not_kept_and_the_size_stays_bounded():
    async def test(work: Work) -> None:
        for number in range(100):
            work.ask(b"%d" % number)
            await work.answer(reply(Verdict(score=0.0, reason="long", evidence={"text": "x" * number * 100})))
            assert work.cache.size_bytes <= 5000

    working(test, max_bytes=5000)


def test_work_that_is_refused_leaves_nothing_behind():
    async def test(work: Work) -> None:
        def refuse(_: Sequence[int]) -> "list[asyncio.Future[Reply]]":
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            work.cache.answers([b"k"], Priority.NORMAL, refuse)
        work.ask(b"k")
        assert len(work.begun) == 1

    working(test)


# In a service.


def scored(opened, *batches: Sequence[dict], tenants: Sequence[str | None] = (), **sections) -> list[ScoredItem]:
    """The batches one after the other, each for its tenant."""

    async def run() -> list[bytes]:
        async with opened(**sections) as service:
            terms = [Terms(Principal(tenant=tenant)) for tenant in tenants] or [STANDARD] * len(batches)
            return [await service.engine.score(batch, terms=one) for batch, one in zip(batches, terms, strict=True)]

    return [item for answer in asyncio.run(run()) for item in ScoreResponse.model_validate_json(answer).items]


def cached(items: Sequence[ScoredItem]) -> list[bool]:
    return [item.components[0].cached for item in items]


def test_a_group_that_repeats_an_answer_is_judged_once_and_each_has_its_reward(odd_service):
    items = scored(odd_service, [raw_item("xx"), raw_item("xx"), raw_item("xxx")], [raw_item("xx")])
    assert [item.reward for item in items] == [0.02, 0.02, 0.03, 0.02]
    assert cached(items) == [False, True, False, True]
    assert len({item.record_id for item in items}) == 4


def test_one_tenant_does_not_learn_what_another_asked(odd_service):
    batches = [[raw_item("xx")]] * 4
    assert cached(scored(odd_service, *batches, tenants=["a", "b", None, "a"])) == [False, False, False, True]


def test_a_cache_that_is_off_computes_everything(odd_service):
    batch = [raw_item("xx"), raw_item("xx")]
    assert cached(scored(odd_service, batch, batch, cache={"max_bytes": 0})) == [False] * 4


def test_what_a_rewarder_reads_is_what_tells_verdicts_apart(odd_service):
    batch = [
        raw_item("4", "echo.v1", {"answer": "4"}),
        raw_item("4", "echo.v1", {"answer": "5"}),
        raw_item("4", "length.v1"),
        raw_item("4", "echo.v1", {"answer": "4"}),
    ]
    batch[3]["task"]["id"] = "another task"
    items = scored(odd_service, batch)
    assert [item.reward for item in items] == [1.0, 0.0, 0.01, 1.0]
    assert cached(items) == [False, False, False, True]


def test_a_trajectory_whose_keys_have_another_order_is_another_completion(odd_service):
    calls = ['{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1, "b": 2}']
    batch = [raw_item("x") for _ in calls]
    for item, call in zip(batch, calls, strict=True):
        item["completion"]["messages"] = [{"role": "assistant", "tool_calls": json.loads(call)}]
    assert cached(scored(odd_service, batch)) == [False, False, True]


def test_an_async_rewarder_is_asked_every_time(odd_service):
    plugins = {"modules": ["odd_rewarders", "odd_async_rewarders"]}
    batch = [raw_item("fine", "waits.v1")] * 2
    assert cached(scored(odd_service, batch, batch, plugins=plugins, sandbox={"backend": "off"})) == [False] * 4


def test_one_completion_that_burns_costs_once_what_it_costs_and_is_burnt_again_next_time(odd_service):
    batch = [raw_item("burn", "obeys.v1")] * 16
    items = scored(odd_service, batch, batch[:1])
    assert {item.reward for item in items} == {0.0}
    assert cached(items) == [False, *[True] * 15, False]
