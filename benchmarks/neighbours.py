"""How long a quick rewarder's answers take beside one that is slow or hangs, against how long they take alone.

Requests of a quick rewarder come at a steady rate. Windows without and with a bad neighbour follow each other in turn,
so that a noisy machine is noisy for both; the neighbour's clients keep two full queues of jobs waiting all the time.
Reported: the 50th and 99th percentiles of each, and their ratios. Client, server and workers share the cores. A
neighbour that ends, or whose jobs do not wait, is no neighbour: then it fails.

    python benchmarks/neighbours.py [--seconds 5] [--rounds 4] [--rate 40] [--json]
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
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import httpx

PATIENCE_S = 4
HERE = Path(__file__).parent
QUICK = ("quick", "quick_async")
BAD = ("burns", "hangs", "waits", "hangs_async")
QUEUES = {"burns": "workers", "hangs": "workers", "waits": "calls", "hangs_async": "calls"}
LEAST_QUEUE = 16
"""Jobs of the neighbour that are not answered, in the median of looks: of 128 that its clients ask for at once."""
CONFIG = """
[plugins]
load = []
modules = ["neighbour_rewarders"]
[workers]
processes = 2
call_timeout_s = 10
[calls]
timeout_s = 10
[sandbox]
backend = "off"
[cache]
max_bytes = 0
""" + "".join(f'[rubrics."{name}.v1"]\nparts = [{{ rewarder = "near.{name}" }}]\n' for name in (*QUICK, *BAD))


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """A server process of its own; yields its URL."""
    config = folder / "neighbours.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "env_server", "serve", "--config", str(config), "--port", "0", "--json"]
    command += ["--data-dir", str(folder / "data")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


def body(rubric: str, size: int, *, mark: int) -> bytes:
    """A request for completions that nobody has sent before."""
    prompt = [{"role": "user", "content": "How long?"}]
    items = [
        {"task": {"id": "t", "prompt": prompt, "rubric": f"{rubric}.v1"}, "completion": {"text": f"{mark} {n} " * 50}}
        for n in range(size)
    ]
    return json.dumps({"items": items}).encode()


async def ask(client: httpx.AsyncClient, content: bytes, **headers: str) -> None:
    """Send a request; it has to be answered."""
    sent = {"content-type": "application/json", **headers}
    (await client.post("/v1/score", content=content, headers=sent)).raise_for_status()


async def latencies(client: httpx.AsyncClient, rubric: str, seconds: float, rate: float) -> list[float]:
    """Of requests that come at a steady rate, whether or not those before them were answered; seconds."""
    took: list[float] = []

    async def one(number: int) -> None:
        content, began = body(rubric, 4, mark=number), time.perf_counter()
        await ask(client, content)
        took.append(time.perf_counter() - began)

    begun, under_way = time.perf_counter(), []
    for number in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        under_way.append(asyncio.create_task(one(number)))
    await asyncio.gather(*under_way)
    return took


async def keep_asking(url: str, bad: str) -> None:
    """A bad neighbour's clients: they keep its queue full, and wait four seconds for what they ask."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        numbers = count()

        async def one() -> None:
            while True:
                await ask(client, body(bad, 64, mark=next(numbers)), **{"X-Assay-Deadline-S": str(PATIENCE_S)})

        await asyncio.gather(one(), one())


async def watch(url: str, bad: str, lengths: list[int]) -> None:
    """How long the neighbour's queue is, twice a second."""
    name = f'assay_queue_length{{queue="{QUEUES[bad]}"}} '
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        while True:
            await asyncio.sleep(0.5)
            lines = (await client.get("/metrics")).text.splitlines()
            lengths += [round(float(line.removeprefix(name))) for line in lines if line.startswith(name)]


@asynccontextmanager
async def beside(url: str, bad: str, lengths: list[int]) -> AsyncIterator[None]:
    """While a bad neighbour's clients ask, from a process of their own; tells how long its queue was."""
    clients = subprocess.Popen([sys.executable, __file__, "--keep-asking", url, "--bad", bad])
    watching = asyncio.create_task(watch(url, bad, lengths))
    try:
        await asyncio.sleep(2)
        yield
        if clients.poll() is not None:
            raise RuntimeError(f"the clients of {bad} ended with {clients.returncode}: nothing was compared")
    finally:
        watching.cancel()
        clients.kill()
        clients.wait()
        await asyncio.sleep(PATIENCE_S)


async def compared(
    url: str, quick: str, bad: str, options: argparse.Namespace
) -> tuple[list[float], list[float], float]:
    """Latencies alone and beside the neighbour, of windows in turn, and the median length of its queue."""
    alone, accompanied, lengths = list[float](), list[float](), list[int]()
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await latencies(client, quick, 1, options.rate)
        for _ in range(options.rounds):
            alone += await latencies(client, quick, options.seconds, options.rate)
            async with beside(url, bad, lengths):
                accompanied += await latencies(client, quick, options.seconds, options.rate)
    queue = statistics.median(lengths)
    if queue < LEAST_QUEUE:
        raise RuntimeError(f"{bad} had {queue} jobs waiting: it is no neighbour that could be noticed")
    return alone, accompanied, queue


def percentile(values: Sequence[float], share: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(values, n=100)[share - 1] * 1000


async def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    """Every quick rewarder beside every bad one."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with served(Path(folder)) as url:
            for quick in options.quick:
                for bad in options.bad:
                    alone, accompanied, queue = await compared(url, quick, bad, options)
                    row: dict[str, object] = {"quick": quick, "beside": bad, "requests": len(accompanied)}
                    row["queue"] = queue
                    for share in (50, 99):
                        one, two = percentile(alone, share), percentile(accompanied, share)
                        row[f"p{share}_ms"] = [round(one, 2), round(two, 2)]
                        row[f"p{share}_ratio"] = round(two / one, 2)
                    rows.append(row)
                    if not options.json:
                        print(*(f"{key}={value}" for key, value in row.items()), flush=True)
    return rows


def main() -> None:
    """Run everything once and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each window")
    parser.add_argument("--rounds", type=int, default=4, help="of two windows each")
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second, four items each")
    parser.add_argument("--quick", nargs="+", default=QUICK)
    parser.add_argument("--bad", nargs="+", default=BAD)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep-asking", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(HERE)
    with suppress(KeyboardInterrupt):
        if options.keep_asking:
            asyncio.run(keep_asking(options.keep_asking, options.bad[0]))
        rows = asyncio.run(measure(options))
        if options.json:
            print(json.dumps(rows))


if __name__ == "__main__":
    main()
