"""Workers that are replaced although nothing is wrong with them."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from raw_items import raw_item

from env_server.schemas import ScoreResponse
from env_server.service import Service

OFF = {"max_bytes": 0}
Opened = Callable[..., AbstractAsyncContextManager[Service]]


async def scored(service: Service, texts: list[str], rubric: str = "length.v1") -> list[float | None]:
    answer = await service.engine.score([raw_item(text, rubric) for text in texts])
    return [item.reward for item in ScoreResponse.model_validate_json(answer).items]


def test_a_worker_is_replaced_after_so_many_jobs_and_no_job_is_lost(odd_service: Opened):
    async def scenario() -> tuple[list[float | None], int, int]:
        async with odd_service(workers={"processes": 1, "jobs_per_worker": 5}, cache=OFF) as service:
            rewards = [await scored(service, ["x" * n] * 7) for n in range(1, 9)]
            tally = service.engine.pool.own.tally
            return [reward for batch in rewards for reward in batch], tally.recycled, tally.lost

    rewards, recycled, lost = asyncio.run(scenario())
    assert rewards == [n / 100 for n in range(1, 9) for _ in range(7)]
    assert recycled >= 3
    assert lost == 0


def test_a_worker_that_has_grown_is_replaced_before_its_memory_is_short(odd_service: Opened):
    async def scenario() -> tuple[list[float | None], int, int]:
        settings: dict[str, Any] = {"processes": 1, "recycle_at": 0.2, "memory_bytes": 16 * 1024**3}
        async with odd_service(workers=settings, cache=OFF) as service:
            rewards = [reward for _ in range(5) for reward in await scored(service, ["x"] * 16, "hoards.v1")]
            tally = service.engine.pool.own.tally
            return rewards, tally.recycled, tally.lost

    rewards, recycled, lost = asyncio.run(scenario())
    assert rewards == [1.0] * 80
    assert recycled >= 1
    assert lost == 0


def test_a_replaced_worker_is_gone_and_no_zombie(odd_service: Opened):
    async def scenario() -> list[int]:
        async with odd_service(workers={"processes": 1, "jobs_per_worker": 1}, cache=OFF) as service:
            for _ in range(6):
                await scored(service, ["x"])
            nursery = service.engine.pool.own._nursery
            assert nursery is not None
            pid = nursery._process.pid
            while service.engine.pool.own.tally.recycled < 6:
                await asyncio.sleep(0.01)
            return _children(pid)

    assert len(asyncio.run(scenario())) <= 2, "one for each slot"


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split() if os.path.exists(f"/proc/{child}")]
