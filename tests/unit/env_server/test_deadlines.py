"""A client's patience, with real workers and real calls: what is not done by its end is unscored, and nothing else."""

import asyncio
import json
import time
from pathlib import Path

import odd_async_rewarders as odd
import pytest
from raw_items import raw_item

from env_server.schemas import ScoredItem, ScoreResponse
from env_server.service import Service
from env_server.terms import Terms


@pytest.fixture(autouse=True)
def _nothing_seen_yet():
    odd.SEEN.clear()
    odd.UNDER_WAY[:] = [0]


@pytest.fixture
def one_of_each(odd_service):
    """A service with one worker of each pace, one place for calls, and a long patience of its own."""

    def opened(**sections):
        plugins = {"modules": ["odd_rewarders", "odd_async_rewarders"]}
        return odd_service(
            plugins=plugins, sandbox={"backend": "off"}, workers={"processes": 1}, calls={"at_once": 1}, **sections
        )

    return opened


async def score(service: Service, *items, patience_s: float) -> list[ScoredItem]:
    answer = await service.engine.score(items, terms=Terms(deadline=time.monotonic() + patience_s))
    return list(ScoreResponse.model_validate_json(answer).items)


def check_given_up(item: ScoredItem) -> None:
    assert (item.status, item.reward) == ("unscored", None)
    assert item.fault is not None
    assert (item.fault.kind, item.fault.retryable) == ("DeadlineExceeded", True)


def test_what_is_not_done_in_time_is_unscored_and_its_neighbours_have_their_rewards(one_of_each):
    async def run() -> list[ScoredItem]:
        async with one_of_each() as service:
            await score(service, raw_item("x"), patience_s=60)
            items = [raw_item("xx"), raw_item("sleep", "obeys.v1"), raw_item("sleep 60", "waits.v1")]
            return await score(service, *items, patience_s=1.0)

    quick, sleeps, waits = asyncio.run(run())
    assert quick.reward == 0.02
    check_given_up(sleeps)
    check_given_up(waits)
    assert sleeps.record_id


def test_patience_that_has_ended_before_anything_began_begins_nothing(one_of_each):
    async def run() -> list[ScoredItem]:
        async with one_of_each() as service:
            return await score(service, raw_item("x", "waits.v1"), patience_s=-1.0)

    check_given_up(*asyncio.run(run()))
    assert odd.SEEN.total() == 0


def test_a_call_under_way_is_ended_and_one_that_waits_is_never_begun(one_of_each):
    async def run() -> list[ScoredItem]:
        async with one_of_each() as service:
            items = [raw_item(f"sleep {n}", "waits.v1") for n in (60, 61)]
            for item in await score(service, *items, patience_s=0.5):
                check_given_up(item)
            assert service.engine.calls.unanswered == 0
            return await score(service, raw_item("fine", "waits.v1"), patience_s=30)

    (item,) = asyncio.run(run())
    assert item.reward == 1.0  # the only place is free again
    assert "sleep 61" not in odd.SEEN


def test_a_worker_that_hangs_on_what_nobody_waits_for_is_ended_without_a_verdict(one_of_each):
    async def run() -> tuple[ScoredItem, ...]:
        async with one_of_each() as service:
            (hung,) = await score(service, raw_item("sleep", "obeys.v1"), patience_s=0.3)
            (item,) = await score(service, raw_item("x", "obeys.v1"), patience_s=20)
            return hung, item

    hung, item = asyncio.run(run())
    check_given_up(hung)
    assert item.reward == 1.0  # long before the half minute that a worker may take


def test_whoever_cancels_a_request_leaves_no_job_behind(one_of_each):
    async def run() -> tuple[int, int]:
        async with one_of_each() as service:
            items = [raw_item(f"sleep {n}", "waits.v1") for n in range(60, 70)]
            scoring = asyncio.create_task(service.engine.score(items))
            while not odd.SEEN:
                await asyncio.sleep(0.01)
            scoring.cancel()
            await asyncio.wait([scoring])
            await asyncio.sleep(0.1)
            return service.engine.calls.unanswered, len(odd.SEEN)

    unanswered, begun = asyncio.run(run())
    assert unanswered == 0
    assert begun <= 2  # the one that was under way, and perhaps the next in that moment


def test_a_job_that_takes_long_is_begun_anew_among_the_slow_and_judged_as_ever(one_of_each, monkeypatch):
    monkeypatch.setattr("env_server.workers._OVERSTAYING_S", 0.1)

    async def run() -> tuple[list[ScoredItem], int]:
        async with one_of_each() as service:
            items = await score(service, raw_item("burn", "obeys.v1"), raw_item("xx"), patience_s=60)
            return items, service.engine.pool.own.tally.lost

    (burns, quick), lost = asyncio.run(run())
    verdict = burns.components[0].verdict
    assert (burns.reward, verdict and verdict.reason, quick.reward) == (0.0, "too_costly", 0.02)
    assert lost == 1  # on its budget, among the slow; that it was moved is no loss


def test_a_quick_rewarder_is_answered_while_every_slow_worker_hangs(one_of_each):
    async def run() -> tuple[list[ScoredItem], bool]:
        async with one_of_each() as service:
            hanging = [raw_item("sleep", "obeys.v1", sample=n) for n in range(3)]
            for n, item in enumerate(hanging):
                item["completion"]["policy_version"] = str(n)
            scoring = asyncio.create_task(score(service, *hanging, patience_s=20))
            await asyncio.sleep(1.5)
            quick = await score(service, *[raw_item("x" * n) for n in range(1, 50)], patience_s=10)
            still_hanging = not scoring.done()
            scoring.cancel()
            await asyncio.wait([scoring])
            return quick, still_hanging

    quick, still_hanging = asyncio.run(run())
    assert still_hanging
    assert [item.reward for item in quick] == [n / 100 for n in range(1, 50)]


def test_an_async_rewarder_that_hangs_keeps_no_other_waiting(one_of_each, tmp_path: Path):
    async def run() -> list[ScoredItem]:
        async with one_of_each() as service:
            hanging = asyncio.create_task(score(service, raw_item("sleep 60", "waits.v1"), patience_s=20))
            while not odd.SEEN:
                await asyncio.sleep(0.01)
            other = await score(service, raw_item("x", "runs.v1", {}), patience_s=10)
            hanging.cancel()
            await asyncio.wait([hanging])
            return other

    (item,) = asyncio.run(run())
    assert item.fault is not None
    assert item.fault.kind == "SandboxFault"  # it was asked: there is no sandbox here
    assert json.loads(item.fault.model_dump_json())["retryable"] is False
