"""What it costs to be observed: microseconds for an item and for a request, and their share of what one takes in all.

The share is of an item through the engine without HTTP and without a ledger, in batches, measured in the same run. With
PROMETHEUS_MULTIPROC_DIR set to an empty directory the counts are shared between processes, and cost more.

    python benchmarks/observing.py
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from env_server.app import open_service
from env_server.config import ServiceConfig
from env_server.observing.metrics import Metrics
from env_server.observing.requests import Message, Receive, Scope, Send, WatchRequests
from rewarders import Verdict
from rewarders.types import Component, RewardBreakdown

BATCH = 256
ROUNDS = 40
ITEM = {
    "task": {"id": "t", "prompt": [{"role": "user", "content": "?"}], "rubric": "trivial.v1"},
    "completion": {"text": "x" * 200},
}
SETTINGS = {
    "plugins": {"load": [], "modules": ["trivial_rewarder"]},
    "ledger": {"enabled": False},
    "sandbox": {"backend": "off"},
    "rubrics": {"trivial.v1": {"parts": [{"rewarder": "trivial.character_share"}]}},
}


def main() -> None:
    """Print three lines."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where the workers find the trivial rewarder
    item_us = asyncio.run(_engine_us())
    counted_us = _least_us(_counting(), BATCH)
    watched_us = asyncio.run(_request_us())
    print(f"an item through the engine: {item_us:.1f} us")
    print(f"counting it:                {counted_us:.1f} us, {counted_us / item_us:.1%}")
    print(f"watching a request:         {watched_us:.1f} us, {watched_us / item_us / BATCH:.2%} of a batch of {BATCH}")


def _counting() -> Callable[[], None]:
    said = Verdict(score=1.0, reason="equal")
    part = Component(rewarder="a.b", version="1", distribution="d", verdict=said, cpu_s=0.0002, wall_s=0.0004)
    one = RewardBreakdown(
        task_id="t", completion_digest="d", rubric="a.v1", rubric_digest="d", reward=1.0, components=(part,)
    )
    metrics, many = Metrics(), [one] * BATCH
    return lambda: metrics.answered(many)


def _least_us(work: Callable[[], None], count: int) -> float:
    took_s = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        work()
        took_s.append(time.perf_counter() - began_s)
    return min(took_s) / count * 1e6


async def _engine_us() -> float:
    async with open_service(ServiceConfig.model_validate(SETTINGS)) as service:
        took_s = []
        for _ in range(ROUNDS):
            began_s = time.perf_counter()
            await service.engine.score([ITEM] * BATCH)
            took_s.append(time.perf_counter() - began_s)
    return min(took_s) / BATCH * 1e6


async def _request_us() -> float:
    async def answer(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def nothing(*_: Any) -> Message:
        return {}

    app = WatchRequests(answer, Metrics())
    took_s = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        for _ in range(BATCH):
            await app({"type": "http", "method": "POST", "headers": [(b"accept", b"*/*")] * 6}, nothing, nothing)
        took_s.append(time.perf_counter() - began_s)
    return min(took_s) / BATCH * 1e6


if __name__ == "__main__":
    main()
