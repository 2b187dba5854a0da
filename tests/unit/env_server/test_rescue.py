"""The wall clock that ends a wait for a worker: it stands while the worker waits for a core, and not otherwise."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from raw_items import raw_item

from env_server import rescue
from env_server.rescue import put_off
from env_server.schemas import ScoreResponse
from env_server.service import Service
from env_server.worker_process import NICENESS

PATIENCE_S = 0.2
CORE = min(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescue, "LOOK_EVERY_S", 0.02)


def put_off_by(waits_s: Iterator[float], *, hurried: bool = False) -> float:
    """How much later the timeout comes, if something is awaited until it has been put off, or for ever."""

    async def scenario() -> float:
        async with asyncio.timeout(PATIENCE_S) as timeout:
            planned = timeout.when()
            assert planned is not None
            with put_off(timeout, lambda: next(waits_s)):
                if hurried:
                    timeout.reschedule(planned + 0.001)
                while (when := timeout.when()) is None or when < planned + 1:
                    await asyncio.sleep(0.01)
            return when - planned

    return asyncio.run(scenario())


def test_what_is_waited_for_a_core_is_added_once():
    assert put_off_by(iter([30.0, 30.0, 30.5, *[32.5] * 1000])) == pytest.approx(2.5)


def test_what_hangs_waits_for_no_core_and_is_given_up_in_time():
    with pytest.raises(TimeoutError):
        put_off_by(iter([30.0] * 1000))


def test_a_wait_that_was_cut_short_is_not_put_off_any_more():
    with pytest.raises(TimeoutError):
        put_off_by((10.0 * n for n in count()), hurried=True)


@contextmanager
def a_core_that_another_wants() -> Iterator[None]:
    """By a process in a session of its own that computes there and never stops."""
    spin = f"import os; os.sched_setaffinity(0, {{{CORE}}})\nwhile True: pass"
    other = subprocess.Popen([sys.executable, "-c", spin], start_new_session=True)
    try:
        yield
    finally:
        other.kill()
        other.wait()


def pin_those_aside(service: Service) -> None:
    nursery = service.engine.pool.own._nursery
    assert nursery is not None
    pid = nursery._process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if os.getpriority(os.PRIO_PROCESS, int(child)) == os.nice(0) + NICENESS:
            os.sched_setaffinity(int(child), {CORE})


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not count what is awaited")
def test_a_worker_that_hardly_gets_a_core_is_judged_by_what_it_spends_there(
    odd_service: Callable[..., AbstractAsyncContextManager[Service]],
):
    async def scenario() -> ScoreResponse:
        async with odd_service(workers={"processes": 1, "call_timeout_s": 1.5}) as service:
            await service.engine.score([raw_item("x", "obeys.v1")])  # so that its workers are there
            pin_those_aside(service)
            with a_core_that_another_wants():
                return ScoreResponse.model_validate_json(await service.engine.score([raw_item("burn", "obeys.v1")]))

    (item,) = asyncio.run(scenario()).items
    assert item.fault is None
    assert item.reward == 0.0
