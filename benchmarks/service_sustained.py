"""Trivial verdicts over HTTP for two minutes, recorded: how many a second, whether memory stays flat, and 500 clients.

1. *Sustained*: requests of 256 items (completions of about 1,000 characters, sixteen to a task), a few at once, each
   with its own idempotency key and no completion twice. Wanted on two cores, which the load generator shares: 5,000
   items a second with SQLite, 3,000 with PostgreSQL, and memory flat: in the last third at most a tenth above the
   second.
2. *Connections*: 500 clients at once, four items a request. Every item has to be answered, and recorded once.

Each of these is said to be met or not, and the exit code is 1 if one is not. Other programs share the machine, so CPU
seconds for 1,000 items and the load average are told too.

    python benchmarks/service_sustained.py [--seconds 120] [--workers 1] [--processes 2] [--postgres BIN_DIR] [--json]
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger import cluster
from load_generator import NUMBER, Answers, Bodies, load
from service_process import ServiceProcess, service

from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.record_filter import RecordFilter
from env_server.schemas import Item
from rewarders import Completion, Task

CONFIG = """
[server]
workers = {workers}
[workers]
processes = {processes}
[plugins]
load = []
modules = ["trivial_rewarder"]
[sandbox]
backend = "off"
[cache]
max_bytes = 0
[rubrics."trivial.v1"]
parts = [{{ rewarder = "trivial.character_share" }}]
"""
BATCH, STREAMS = 256, 4
CONNECTIONS, SMALL, REQUESTS = 500, 4, 5_000
WANTED_PER_S = {"sqlite": 5_000, "postgres": 3_000}
MOST_GROWTH = 1.1
"""Of the last third's memory over the second's."""
_WORDS = (
    "so",
    "the",
    "total",
    "is",
    "twelve",
    "and",
    "thirty",
    "pens",
    "for",
    "each",
    "of",
    "them",
    "per",
    "day",
    "then",
)


@dataclass
class Watched:
    """What a service used while it was under load."""

    process: ServiceProcess
    memory_bytes: list[int] = field(default_factory=list)

    @contextmanager
    def sampled(self) -> Iterator[None]:
        """Look at it every second."""
        stop = threading.Event()

        def sample() -> None:
            while not stop.wait(1.0):
                self.memory_bytes.append(self.process.memory_bytes())

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def make_items(count: int) -> list[Item]:
    """As a GRPO step sends them, each with a number in its completion."""
    rng = random.Random(0)
    return [
        Item(
            task=Task(id=f"t{i // 16}", prompt=[{"role": "user", "content": "12+30?" * 10}], rubric="trivial.v1"),
            completion=Completion(text=f"{NUMBER} {i} {' '.join(rng.choices(_WORDS, k=190))}"),
            group=f"t{i // 16}",
            sample=i % 16,
        )
        for i in range(count)
    ]


def sustained(toml: str, seconds: float) -> dict[str, Any]:
    """One service under load for so long."""
    with service(toml) as process:
        watched, bodies = Watched(process), Bodies.of(make_items(BATCH)).numbered()
        _run(process, bodies, 2.0)  # warm
        cpu_s, own_s = process.cpu_s(), time.process_time()
        with watched.sampled():
            answers, took_s = _run(process, bodies, seconds)
        thirds = [max(part) / 2**20 for part in _thirds(watched.memory_bytes)]
        thousands = answers.items / 1000
        return {
            "items_per_s": answers.items / took_s,
            "worst_10_s": min(_windows(answers, 10.0)),
            "latency_p99_ms": _percentile(answers.took_s, 99) * 1000,
            "service_cpu_s_per_1000": (process.cpu_s() - cpu_s) / thousands,
            "load_cpu_s_per_1000": (time.process_time() - own_s) / thousands,
            "memory_mib_by_thirds": [round(one, 1) for one in thirds],
            "refused": answers.refused,
            "load_average": os.getloadavg()[0],
        }


def many_connections(toml: str, url: str | None) -> dict[str, Any]:
    """500 clients at once; every item has to come back, and to be recorded once."""
    wanted = REQUESTS * SMALL
    with service(toml) as process:
        started = 0

        def enough(_: Answers) -> bool:
            nonlocal started
            started += 1
            return started > REQUESTS

        began_s = time.perf_counter()
        answers = asyncio.run(load(process.url, Bodies.of(make_items(SMALL)).numbered(), CONNECTIONS, enough))
        took_s = time.perf_counter() - began_s
        with closing(LedgerReader(Place(process.data_dir, url))) as reader:
            recorded = reader.matching(RecordFilter(run="load"))
    return {
        "connections": CONNECTIONS,
        "lost": wanted - answers.items,
        "recorded_too_often_or_not": recorded - wanted,
        "items_per_s": answers.items / took_s,
        "latency_p50_ms": _percentile(answers.took_s, 50) * 1000,
        "latency_p99_ms": _percentile(answers.took_s, 99) * 1000,
        "refused": answers.refused,
    }


def _run(process: ServiceProcess, bodies: Iterator[bytes], seconds: float) -> tuple[Answers, float]:
    began_s = time.perf_counter()
    answers = asyncio.run(load(process.url, bodies, STREAMS, lambda _: time.perf_counter() > began_s + seconds))
    return answers, time.perf_counter() - began_s


def _windows(answers: Answers, length_s: float) -> list[float]:
    """Items a second in each whole window."""
    start = answers.moments_s[0]
    counts = [0] * max(1, int((answers.moments_s[-1] - start) / length_s))
    for moment in answers.moments_s:
        counts[min(len(counts) - 1, int((moment - start) / length_s))] += BATCH
    return [one / length_s for one in counts]


def _thirds(values: list[int]) -> list[list[int]]:
    third = max(1, len(values) // 3)
    return [values[:third], values[third : 2 * third], values[2 * third :]]


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def main() -> None:
    """Run everything for each database that there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--workers", type=int, default=1, help="server processes")
    parser.add_argument("--processes", type=int, default=2, help="processes that compute verdicts")
    parser.add_argument("--postgres", type=Path, help="where initdb and pg_ctl are")
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    toml = CONFIG.format(workers=options.workers, processes=options.processes)
    figures: dict[str, dict[str, Any]] = {}
    for database in [options.only] if options.only else ["sqlite", *(["postgres"] if options.postgres else [])]:
        with tempfile.TemporaryDirectory(prefix="pg-") as name, _database(database, options.postgres, name) as urls:
            figures[database] = {
                "sustained": sustained(toml + _ledger(urls, 0), options.seconds),
                "connections": many_connections(toml + _ledger(urls, 1), urls and urls[1]),
            }
        figures[database]["met"] = judged(database, figures[database])
    print(json.dumps(figures)) if options.json else _tell(figures)
    sys.exit(0 if all(all(parts["met"].values()) for parts in figures.values()) else 1)


def judged(database: str, parts: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """What was wanted, and whether it was met."""
    sustained, connections = parts["sustained"], parts["connections"]
    _, second, last = sustained["memory_mib_by_thirds"]
    return {
        f"at least {WANTED_PER_S[database]:,} items a second": sustained["items_per_s"] >= WANTED_PER_S[database],
        f"memory: last third at most {MOST_GROWTH:g} times the second": last <= MOST_GROWTH * second,
        "no item lost": connections["lost"] == 0,
        "every item recorded once": connections["recorded_too_often_or_not"] == 0,
    }


def _tell(figures: dict[str, dict[str, dict[str, Any]]]) -> None:
    for database, parts in figures.items():
        for part, values in parts.items():
            print(f"{database}, {part}")
            for key, value in values.items():
                said = ("MET" if value else "NOT MET") if part == "met" else value
                print(f"  {key:<50} {round(said, 3) if isinstance(said, float) else said}")


def _ledger(urls: list[str] | None, number: int) -> str:
    return f'\n[ledger]\nurl = "{urls[number]}"\n' if urls else ""


@contextmanager
def _urls(bin_dir: Path, folder: Path) -> Iterator[list[str]]:
    with cluster(bin_dir, folder) as socket:
        for name in ("one", "two"):
            subprocess.run(["createdb", "-h", socket, "-U", "assay", name], check=True)
        yield [f"postgresql://assay@/{name}?host={socket}" for name in ("one", "two")]


def _database(database: str, bin_dir: Path | None, folder: str) -> Any:
    return nullcontext(None) if database == "sqlite" or bin_dir is None else _urls(bin_dir, Path(folder))


if __name__ == "__main__":
    main()
