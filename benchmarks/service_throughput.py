"""Items a second through the reward service, for a trivial pure rewarder and for the maths verifier.

Five figures of one run, on one machine: the trivial one over HTTP with the ledger, over HTTP without it, in the engine
without HTTP, and as a bare function call; maths answers as in GSM8K over HTTP with the ledger. Client and server share
the cores.

    python benchmarks/service_throughput.py [--seconds 10] [--batch 256] [--json]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from trivial_rewarder import NoParams, character_share

from env_server.app import open_service
from env_server.client import AsyncRewardClient
from env_server.config import ServiceConfig
from env_server.schemas import Item
from rewarders import Completion, Task

HERE = Path(__file__).parent
CONFIG = """
[plugins]
load = []
modules = ["trivial_rewarder", "rewarders.maths"]
[ledger]
enabled = {ledger}
[rubrics."trivial.v1"]
parts = [{{ rewarder = "trivial.character_share" }}]
[rubrics."answer.v1"]
parts = [{{ rewarder = "maths.equal" }}]
"""


def make_items(count: int) -> list[Item]:
    """Completions of about 1,000 characters, sixteen to a task, as a GRPO step sends them."""
    text = "so the total is 12 + 30 = 42. " * 33
    return [
        Item(
            task=Task(id=f"t{i // 16}", prompt=[{"role": "user", "content": "12+30?" * 10}], rubric="trivial.v1"),
            completion=Completion(text=f"{i} {text}"),
            group=f"t{i // 16}",
            sample=i % 16,
        )
        for i in range(count)
    ]


def make_sums(count: int) -> list[Item]:
    """Worked sums that end in `#### 42`, every other one wrong, sixteen to a task."""
    step = "She buys 3 boxes of 4 pens, which makes 3 * 4 = <<3*4=12>>12 pens for 12 * 2 = 24 dollars. "
    return [
        Item(
            task=Task(
                id=f"s{i // 16}", prompt=[{"role": "user", "content": "How much?"}], rubric="answer.v1",
                reference={"answer": f"{1000 + i // 16:,}"},
            ),
            completion=Completion(text=f"{step * 6}\n#### ${1000 + i // 16 + i % 2}.00"),
            group=f"s{i // 16}",
            sample=i % 16,
        )
        for i in range(count)
    ]  # fmt: skip


@asynccontextmanager
async def served(folder: Path, *, ledger: bool) -> AsyncIterator[str]:
    """A server process of its own; yields its URL."""
    config = folder / f"ledger-{ledger}.toml"
    config.write_text(CONFIG.format(ledger=str(ledger).lower()))
    command = [sys.executable, "-m", "env_server", "serve", "--config", str(config), "--port", "0", "--json"]
    command += ["--data-dir", str(folder / f"data-{ledger}")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


async def rate(call: Callable[[], Awaitable[object]], items: int, seconds: float, streams: int) -> float:
    """Median over one-second windows of items a second, with `streams` requests under way at once."""
    finished: list[float] = []
    end = time.perf_counter() + seconds

    async def stream() -> None:
        while time.perf_counter() < end:
            await call()
            finished.append(time.perf_counter())

    start = time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(streams)))
    windows = [0] * max(1, int(finished[-1] - start))
    for moment in finished:
        windows[min(len(windows) - 1, int(moment - start))] += items
    return statistics.median(windows)


async def over_http(folder: Path, items: list[Item], seconds: float, *, ledger: bool) -> float:
    """Through `RewardClient`, which also builds the request and validates the answer."""
    async with served(folder, ledger=ledger) as url, AsyncRewardClient(url) as client:
        await client.score(items)
        return await rate(lambda: client.score(items), len(items), seconds, streams=3)


async def in_process(folder: Path, batch: int, seconds: float) -> float:
    """The engine, its workers and its ledger, without HTTP."""
    import tomllib

    config = ServiceConfig.model_validate(
        tomllib.loads(CONFIG.format(ledger="true")) | {"ledger": {"data_dir": folder / "data-engine"}}
    )
    raw = [item.model_dump(mode="json", exclude_none=True) for item in make_items(batch)]
    async with open_service(config) as service:
        return await rate(lambda: service.engine.score(raw), batch, seconds, streams=3)


def bare_calls(batch: int, seconds: float) -> float:
    """The rewarder called in a loop: the physical limit of one core."""
    items, done, start = make_items(batch), 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        for item in items:
            character_share(item.completion, None, NoParams())
        done += batch
    return done / (time.perf_counter() - start)


def main() -> None:
    """Run everything once and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(HERE)
    with tempfile.TemporaryDirectory() as name:
        folder, batch, seconds = Path(name), options.batch, options.seconds
        figures = {
            "http_with_ledger": asyncio.run(over_http(folder, make_items(batch), seconds, ledger=True)),
            "http_without_ledger": asyncio.run(over_http(folder, make_items(batch), seconds, ledger=False)),
            "maths_http_with_ledger": asyncio.run(over_http(folder, make_sums(batch), seconds, ledger=True)),
            "engine_with_ledger": asyncio.run(in_process(folder, batch, seconds)),
            "bare_function_calls": bare_calls(batch, min(seconds, 3.0)),
        }
    if options.json:
        print(json.dumps({"batch": options.batch, "items_per_s": figures}))
        return
    for name, value in figures.items():
        print(f"{name:<22} {value:>10,.0f} items/s   {value / figures['http_with_ledger']:>7.2f} x")


if __name__ == "__main__":
    main()
