"""How long one tenant's answers take while another sends what nobody should, against how long they take alone.

One client asks for a trivial reward at a steady rate. Windows without and with the other follow each other in turn, so
that a noisy machine is noisy for both. The other sends one kind of bad request after another on some connections, each
as soon as the last is answered. Client and server share the cores.

    python benchmarks/bad_input.py [--seconds 5] [--rounds 3] [--rate 40] [--connections 2] [--json]
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx

from env_server.keys.store import KeyStore
from env_server.ledger.place import Place
from env_server.principal import KeyLimits, Scope
from trainer.server import spawned_server

CONFIG = """
[keys]
enabled = true
[sandbox]
backend = "off"
"""
PROMPT = [{"role": "user", "content": "1+1="}]
TASK = {"id": "t", "prompt": PROMPT, "rubric": "math.v1", "reference": {"answer": "2"}}
JSON = {"content-type": "application/json"}
PROCESSES = multiprocessing.get_context("spawn")
SETTLING_S = 2.0
BAD = {
    "no key": ({"authorization": "Bearer asy_" + "a" * 43}, b"{}"),
    "no JSON": (JSON, b'{"items": [' + b"[" * 100_000),
    "200,000 keys": (JSON, b'{"items": [{' + b",".join(b'"%d":1' % n for n in range(200_000)) + b"}]}"),
    "a million keys": (JSON, b'{"items": [{' + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}]}"),
    "30 MB": (JSON, b'{"items": ["' + b"a" * 30_000_000 + b'"]}'),
    "1,000 bad items": (JSON, json.dumps({"items": [{"task": {"id": "x" * 100}}] * 1000}).encode()),
}


def make_key(data: Path, tenant: str) -> str:
    """A key for scores."""
    with closing(KeyStore(Place(data))) as store:
        return store.add(tenant, frozenset({Scope.SCORE}), KeyLimits(), None).secret


async def ask(client: httpx.AsyncClient, number: int, due_s: float) -> float:
    """Seconds from when it was due until a reward is there."""
    item = {"task": TASK, "completion": {"text": f"{number}: \\boxed{{2}}", "finish_reason": "stop"}}
    answer = await client.post("/v1/score", json={"items": [item]})
    assert answer.raise_for_status().json()["items"][0]["reward"] == 1.0
    return time.perf_counter() - due_s


async def window(client: httpx.AsyncClient, seconds: float, rate: float) -> list[float]:
    """What a steady rate of requests took, each counted from when it was to be sent, whether or not it could be."""
    begun_s, asked = time.perf_counter(), []
    for number in range(round(seconds * rate)):
        due_s = begun_s + number / rate
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        asked.append(asyncio.create_task(ask(client, time.time_ns() + number, due_s)))
    return await asyncio.gather(*asked)


def hurt(url: str, key: str, kind: str) -> None:
    """Send one kind of bad request until killed: a process of its own, so that only the service is in the way."""
    headers, body = BAD[kind]
    with httpx.Client(base_url=url, timeout=120) as client:
        while True:
            answer = client.post("/v1/score", content=body, headers={"authorization": f"Bearer {key}", **headers})
            assert answer.status_code < 500, answer.text


async def beside(url: str, keys: Sequence[str], kind: str, options: argparse.Namespace) -> dict[str, float]:
    """The 50th and 99th percentiles alone and beside one kind, in ms."""
    alone: list[float] = []
    hurting: list[float] = []
    headers = {"authorization": f"Bearer {keys[0]}"}
    limits = httpx.Limits(keepalive_expiry=1)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=limits) as client:
        for _ in range(options.rounds):
            alone += await window(client, options.seconds, options.rate)
            others = [PROCESSES.Process(target=hurt, args=(url, keys[1], kind)) for _ in range(options.connections)]
            for other in others:
                other.start()
            await asyncio.sleep(SETTLING_S)
            hurting += await window(client, options.seconds, options.rate)
            for other in others:
                assert other.is_alive(), "it has to be answered all the time, and without a failure of ours"
                other.kill()
                other.join()
    (p50_alone, p99_alone), (p50, p99) = percentiles(alone), percentiles(hurting)
    return {
        "p50_alone_ms": p50_alone,
        "p99_alone_ms": p99_alone,
        "p50_ms": p50,
        "p99_ms": p99,
        "ratio": p99 / p99_alone,
    }


def percentiles(took: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th, in ms."""
    cuts = statistics.quantiles(took, n=100)
    return 1000 * cuts[49], 1000 * cuts[98]


def main() -> None:
    """Run every kind, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=40)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bad-input-") as name:
        folder = Path(name)
        (folder / "server.toml").write_text(CONFIG)
        keys = [make_key(folder / "data", tenant) for tenant in ("neighbour", "other")]
        with spawned_server(folder / "data", folder / "server.toml") as url:
            figures = {kind: asyncio.run(beside(url, keys, kind, options)) for kind in BAD}
    if options.json:
        print(json.dumps(figures, indent=2))
    for kind, found in figures.items() if not options.json else ():
        print(f"{kind:<16} " + "  ".join(f"{name} {value:.1f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
