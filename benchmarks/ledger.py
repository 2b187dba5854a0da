"""The ledger: bytes a record, records a second beside what its database can do, and its cost to the service.

1. Bytes a record on traffic as GRPO makes it: one prompt, sixteen completions of about 1,000 characters, three
   components. Every file of the database counts, indexes included, after a checkpoint. At most 2,048 are wanted.
2. Records a second through the writer, beside raw group commits of the same database, as many in a transaction as the
   writer puts there, all taking turns, since other programs share the machine:
   - *whole*: the records as JSON, a row each with an index on id and on run and step, as a log without a ledger would
     write them, by the driver's `executemany`. Half of this is wanted.
   - *laid out*: the ledger's own rows, hashed, compressed and signed beforehand, by `executemany`.
   - *fastest*: the same by the statements that the writer uses, many rows in one for SQLite, arrays for PostgreSQL.
3. Items a second over HTTP with the ledger and without it, taking turns.

    python benchmarks/ledger.py [--records 65536] [--rounds 5] [--postgres BIN_DIR] [--http-seconds 4] [--json]
"""

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import accumulate, islice
from pathlib import Path
from typing import ClassVar

from pydantic_core import to_json
from service_throughput import make_items, served
from sqlalchemy import Column, Connection, Engine, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

from env_server.client import AsyncRewardClient
from env_server.ledger import writer as writer_module
from env_server.ledger.entry import Entry, Kind, Said, new_id
from env_server.ledger.inserting import insert_new
from env_server.ledger.kept_replies import KeptReply
from env_server.ledger.laying import Laid, lay_out
from env_server.ledger.opening import open_to_write
from env_server.ledger.place import Place
from env_server.ledger.schema import bodies, details, records
from env_server.ledger.tree import WriterTree
from env_server.ledger.writer import LedgerWriter
from rewarders.digests import canonical_json, digest
from rewarders.types import Component, Verdict

HERE = Path(__file__).parent
GROUP = 16
BATCH = 256
STREAMS = 16
"""Requests on their way at once: a step of 256 prompts with 16 completions each."""
WORDS = [word for path in sorted((HERE.parent / "docs").glob("*.md")) for word in path.read_text("utf-8").split()]
INSTRUMENT = canonical_json({"rubric_digest": digest("r"), "service": "assay", "parts": [{"params": {}}] * 3})
REASONS = ("equal", "wrong", "no_answer")


def prose(rng: random.Random, characters: int) -> str:
    """Words of the documentation in random order: harder to compress than sentences are."""
    return " ".join(rng.choices(WORDS, k=characters // 5))[:characters]


def component(rng: random.Random, name: str, text: str) -> Component:
    """What a rewarder says, with evidence that points into the text."""
    start = rng.randrange(len(text))
    evidence = {"answer": text[start : start + 8], "start": start, "end": start + 8, "alternative": rng.randrange(3)}
    return Component(
        rewarder=name, version="1.0", distribution="assay", cpu_s=round(rng.random() / 1e3, 6),
        wall_s=round(rng.random() / 1e3, 6), contribution=rng.choice([0.0, 0.5, 1.0]),
        verdict=Verdict(score=rng.choice([0.0, 1.0]), reason=rng.choice(REASONS), evidence=evidence),
    )  # fmt: skip


def group(rng: random.Random, step: int, number: int) -> list[Entry]:
    """Sixteen answers to one prompt, recorded as the engine records them."""
    name = f"t{step}-{number}"
    task = canonical_json({"id": name, "prompt": [{"role": "user", "content": prose(rng, 600)}], "rubric": "three.v1"})
    return [_entry(rng, name, step, sample, task) for sample in range(GROUP)]


def _entry(rng: random.Random, name: str, step: int, sample: int, task: bytes) -> Entry:
    said = prose(rng, 1000)
    parts = tuple(component(rng, part, said) for part in ("layout.tags", "maths.equal", "layout.length"))
    detail = {
        "breakdown": {"components": parts}, "sandboxes": [None] * 3, "models": [None] * 3, "redactions": [],
    }  # fmt: skip
    return Entry(
        id=new_id(), kind=Kind.REWARD, detail=to_json(detail), run="grpo-2026-11-21", step=step, group=name,
        sample=sample, task_id=name, rubric="three.v1", status="scored", reward=1.0, instrument=INSTRUMENT, task=task,
        completion=to_json({"text": said, "finish_reason": "stop"}),
        said=tuple(Said(part.rewarder, part.verdict.reason, fault=False) for part in parts if part.verdict),
    )  # fmt: skip


def traffic(count: int, seed: int) -> list[list[Entry]]:
    """Requests of a few groups each."""
    rng = random.Random(seed)
    return [
        [entry for number in range(BATCH // GROUP) for entry in group(rng, step, number)]
        for step in range(count // BATCH)
    ]


class Databases:
    """Fresh, empty ledgers: in SQLite, or in a PostgreSQL cluster of this benchmark's own."""

    def __init__(self, folder: Path, cluster: "str | None") -> None:
        self.folder, self.cluster, self._made = folder, cluster, 0

    def fresh(self) -> Place:
        """A place that nothing was written to."""
        self._made += 1
        data_dir = self.folder / f"data{self._made}"
        if self.cluster is None:
            return Place(data_dir)
        name = f"ledger{self._made}"
        subprocess.run(["createdb", "-h", self.cluster, "-U", "assay", name], check=True)
        return Place(data_dir, f"postgresql://assay@/{name}?host={self.cluster}")


async def _append_all(writer: LedgerWriter, requests: Sequence[Sequence[Entry]]) -> None:
    waiting = iter(requests)

    async def stream() -> None:
        for one in waiting:
            await writer.append(one)

    await asyncio.gather(*(stream() for _ in range(STREAMS)))


class CountedCommits(WriterTree):
    """Remembers how many records were in each commit."""

    sizes: ClassVar[list[int]] = []

    def commit(self, laid: Sequence[Laid], kept: Sequence[KeptReply] = ()) -> None:
        """Count, and commit."""
        self.sizes.append(sum(map(len, laid)))
        super().commit(laid, kept)


def written(place: Place, requests: Sequence[Sequence[Entry]]) -> tuple[float, list[int]]:
    """Records a second through the writer, and how many it put in each commit."""
    CountedCommits.sizes.clear()
    with closing(LedgerWriter(place, max_waiting_records=1_000_000)) as writer:
        start = time.perf_counter()
        asyncio.run(_append_all(writer, requests))
        return sum(map(len, requests)) / (time.perf_counter() - start), list(CountedCommits.sizes)


Insert = Callable[[Connection, Table, Sequence[tuple]], None]


def one_by_one(connection: Connection, table: Table, rows: Sequence[tuple]) -> None:
    """As the driver's `executemany` inserts."""
    names = ", ".join(connection.dialect.identifier_preparer.quote(column.name) for column in table.columns)
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    values = ", ".join([mark] * len(table.columns))
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING"
    connection.exec_driver_sql(statement, list(rows))


_whole = Table(
    "whole", MetaData(), Column("id", LargeBinary(16), primary_key=True), Column("run", String),
    Column("step", Integer), Column("body", Text), Index("whole_by_run", "run", "step"),
)  # fmt: skip


def raw_whole(place: Place, requests: Sequence[Sequence[Entry]], commits: Sequence[int]) -> float:
    """Records a second where each is one row of JSON."""
    rows = iter([(e.id, e.run, e.step, _spelled(e)) for request in requests for e in request])
    batches = [list(islice(rows, size)) for size in commits]
    database = open_to_write(place)
    _whole.metadata.create_all(database)
    start = time.perf_counter()
    for batch in batches:
        with database.begin() as connection:
            one_by_one(connection, _whole, batch)
    took = time.perf_counter() - start
    database.dispose()
    return sum(commits) / took


def _spelled(entry: Entry) -> str:
    return b",".join((entry.task or b"", entry.completion or b"", entry.detail)).decode()


def raw(place: Place, requests: Sequence[Sequence[Entry]], commits: Sequence[int], inserted: Insert) -> float:
    """Records a second of the same rows through the driver alone, in commits of the same sizes."""
    entries = [entry for request in requests for entry in request]
    ends = list(accumulate(commits))
    batches = [_rows(lay_out(entries[end - size : end]), end - size) for end, size in zip(ends, commits, strict=True)]
    database = open_to_write(place)
    start = time.perf_counter()
    for packed, said, rows in batches:
        with database.begin() as connection:
            for table, rows_of_it in ((bodies, packed), (details, said), (records, rows)):
                inserted(connection, table, rows_of_it)
    took = time.perf_counter() - start
    database.dispose()
    return len(entries) / took


def _rows(laid: Laid, first: int) -> tuple[list, list, list]:
    rows = zip(laid.heads, laid.tails, strict=True)
    made = [(1, seq, *head, 1, *tail, tail[-1]) for seq, (head, tail) in enumerate(rows, first)]
    return sorted(laid.bodies.items()), [(1, seq, detail) for seq, detail in enumerate(laid.details, first)], made


def bytes_a_record(place: Place, count: int) -> float:
    """Everything the database keeps for a record, indexes included."""
    database = open_to_write(place)
    try:
        return _size(database, place) / count
    finally:
        database.dispose()


def _size(database: Engine, place: Place) -> int:
    if place.url is None:
        with database.connect().execution_options(read_only=True) as connection:
            connection.rollback()
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(path.stat().st_size for path in place.data_dir.glob("ledger.sqlite3*"))
    with database.begin() as connection:
        total = "select sum(pg_total_relation_size(oid)) from pg_class where relkind = 'r' and relnamespace = 2200"
        return int(connection.execute(text(total)).scalar_one())


def rates(databases: Databases, count: int, rounds: int) -> dict[str, float]:
    """Median rates and the median of their ratios, the two taking turns."""
    measured, size, commits = [], 0.0, [0]
    for turn in range(rounds):
        requests = traffic(count, turn)
        gc.freeze()  # or else the collector goes through all of it again and again, which no service holds
        place = databases.fresh()
        ours, commits = written(place, requests)
        size = bytes_a_record(place, count)
        bases = {"whole": raw_whole(databases.fresh(), requests, commits)}
        for name, how in (("laid_out", one_by_one), ("fastest", insert_new)):
            bases[name] = raw(databases.fresh(), requests, commits, how)
        measured.append((ours, bases))
    figures = {"bytes_a_record": size, "records_a_commit": count / len(commits)}
    figures["records_per_s"] = statistics.median(ours for ours, _ in measured)
    for name in ("whole", "laid_out", "fastest"):
        figures[f"raw_{name}_per_s"] = statistics.median(bases[name] for _, bases in measured)
        figures[f"ratio_to_{name}"] = statistics.median(ours / bases[name] for ours, bases in measured)
    return figures


@contextmanager
def cluster(bin_dir: Path, folder: Path) -> Iterator[str]:
    """A PostgreSQL with its own defaults, which makes every commit durable. Root hands it to the user `postgres`."""
    as_user = ["runuser", "-u", "postgres", "--"] if Path("/root").owner() == Path(folder).owner() else []
    data = folder / "postgres"
    data.mkdir()
    if as_user:
        subprocess.run(["chown", "-R", "postgres", str(folder)], check=True)
    subprocess.run([*as_user, bin_dir / "initdb", "-D", data / "d", "-U", "assay", "--locale=C", "-E", "UTF8"],
                   check=True, capture_output=True)  # fmt: skip
    options = f"-c listen_addresses='' -k {data}"
    control = [*as_user, bin_dir / "pg_ctl", "-D", data / "d", "-w", "-l", data / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True)
    try:
        yield str(data)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


async def _items_per_s(url: str, seconds: float) -> float:
    items, done = make_items(BATCH), 0
    async with AsyncRewardClient(url) as client:
        await client.score(items)
        start = time.perf_counter()

        async def stream() -> None:
            nonlocal done
            while time.perf_counter() < start + seconds:
                await client.score(items)
                done += len(items)

        await asyncio.gather(*(stream() for _ in range(3)))
    return done / (time.perf_counter() - start)


async def over_http(folder: Path, seconds: float, rounds: int) -> dict[str, float]:
    """Items a second of two services that run side by side, asked in turns."""
    async with served(folder, ledger=True) as recorded, served(folder, ledger=False) as unrecorded:
        pairs = [
            (await _items_per_s(recorded, seconds), await _items_per_s(unrecorded, seconds)) for _ in range(rounds)
        ]
    return {
        "items_per_s": statistics.median(one for one, _ in pairs),
        "items_per_s_without": statistics.median(other for _, other in pairs),
        "ratio": statistics.median(one / other for one, other in pairs),
    }


def main() -> None:
    """Run everything once and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=65_536)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", type=Path, help="folder with initdb and pg_ctl; none leaves PostgreSQL out")
    parser.add_argument("--http-seconds", type=float, default=4.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    writer_module.WriterTree = CountedCommits
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])  # for the servers
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        figures["sqlite"] = rates(Databases(folder, None), options.records, options.rounds)
        if options.postgres:
            with cluster(options.postgres, folder) as socket:
                figures["postgresql"] = rates(Databases(folder / "p", socket), options.records, options.rounds)
        if options.http_seconds:
            figures["http"] = asyncio.run(over_http(folder, options.http_seconds, options.rounds))
    if options.json:
        print(json.dumps(figures))
        return
    for what, values in figures.items():
        print(what, *(f"{label} {value:,.2f}" for label, value in values.items()), sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
