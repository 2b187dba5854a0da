"""Several pools that look like one: what waits for one says nothing of another."""

import asyncio
from pathlib import Path

import pytest

from env_server.config import ServiceConfig
from env_server.fair_queue import Line
from env_server.isolation import IsolatedPlugin
from env_server.worker_pools import IsolatedPool, WorkerPools
from env_server.worker_process import Job
from env_server.workers import WorkerPool
from rewarders.errors import Overloaded


@pytest.fixture
def pools(tmp_path: Path) -> WorkerPools:
    """Room for two jobs of the service's own; no process is started."""
    section = {"isolation": "venv", "venv": tmp_path, "load": ["acme"]}
    config = ServiceConfig.model_validate({"plugins": {"load": [], "acme": section}})
    workers = config.workers.model_copy(update={"max_waiting_jobs": 2})
    plugin = IsolatedPlugin("acme", config.plugins.isolated["acme"])
    own, theirs = (WorkerPool(workers, config.plugins, "") for _ in range(2))
    return WorkerPools(own, {"acme": IsolatedPool(plugin, theirs)})


def jobs(rewarder: str, count: int) -> list[Job]:
    return [Job(rewarder, {"text": ""}, None, {}) for _ in range(count)]


def test_what_is_for_an_isolated_plugin_takes_no_room_of_the_services_own(pools: WorkerPools):
    pools.require_room([*jobs("acme.x", 100), *jobs("maths.equal", 2)])
    with pytest.raises(Overloaded, match="3 more would be too many"):
        pools.require_room([*jobs("acme.x", 100), *jobs("maths.equal", 3)])


def test_an_isolated_plugin_that_is_full_is_a_fault_of_its_own(pools: WorkerPools):
    async def run() -> list[str | None]:
        answers = pools.submit([*jobs("maths.equal", 2), *jobs("acme.x", 3)])
        return [answer.result().fault.message if answer.done() else None for answer in answers]

    *own, one, two, three = asyncio.run(run())
    assert own == [None, None]
    assert one == two == three
    assert one is not None
    assert "3 more would be too many" in one


def test_jobs_that_took_no_time_are_shared_among_the_workers_too(pools: WorkerPools):
    pool, slot = pools.own, object()
    pool._paces.began(slot, "maths.equal")
    pool._paces.ended(slot, 0.0)
    assert pool._share(Line("maths.equal"), waiting=1000) == 16
