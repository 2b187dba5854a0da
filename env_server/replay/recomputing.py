"""`env-server audit recompute`: a slice of the ledger through the rewarders of a configuration, page by page."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from env_server.annotating import replayed, require_subject
from env_server.app import open_service
from env_server.config import ServiceConfig
from env_server.ledger.entry import Kind
from env_server.ledger.reader import LedgerReader
from env_server.ledger.searching import all_pages
from env_server.ledger.subjects import SubjectErased
from env_server.record_filter import RecordFilter
from env_server.replay.flips import Flip, FlipReport
from env_server.replay.replayer import Comparison, Replayer
from env_server.replay.results import Replay, Result
from env_server.replay.rubrics import RubricArchive
from env_server.service import Service
from rewarders.errors import ConfigError, NotFound

OnReplay = Callable[[Mapping[str, Any], Replay, Flip | None], None]
_AT_ONCE = 128
_MOST_PARTS = 32
"""Of one rubric."""
_SEED = 0


@dataclass(frozen=True)
class Slice:
    """Which records, and how many of them."""

    wanted: RecordFilter
    limit: int | None = None
    """The newest so many."""
    sample: int | None = None
    """So many drawn at random, the same ones every time; `limit` is then of no account."""
    ids: tuple[str, ...] = ()
    """These instead, whatever else is wanted."""


@dataclass(frozen=True)
class Gate:
    """What a report has to keep to."""

    max_flips: float = 0.0
    """Share of the compared records that may flip."""
    sampled: bool = False
    """Whether the records were drawn from more: then the upper end of the interval has to keep to it, not the share."""
    plain: bool = True
    """Whether the very same code was run on the very same replies: then any difference is one too many, and what was
    drawn is not held against a share."""

    def __post_init__(self) -> None:
        """Raises ConfigError where no sample could keep to it."""
        if self.sampled and not self.plain and self.max_flips == 0.0:
            raise ConfigError(
                "no sample can show that nothing flips, which --max-flips 0 asks for",
                hint="give the share that may flip, as --max-flips 0.01, or leave out --sample",
            )

    def verdict(self, report: FlipReport) -> int:
        """The exit code: 0 it keeps to it; 1 it does not; 3 nobody can say."""
        figures = report.as_json()["flips"]
        if not report.compared:
            return 3
        share = figures["high"] if self.sampled else figures["value"]
        if report.results[Result.DIFFERENT] if self.plain else share > self.max_flips:
            return 1
        unknown = report.results[Result.COULD_NOT]
        return 3 if unknown > self.max_flips * (unknown + report.compared) else 0


def recompute(
    config: ServiceConfig,
    chosen: Slice,
    how: Comparison,
    *,
    tolerance: float = 0.0,
    dry_run: bool = False,
    on_replay: OnReplay = lambda *_: None,
    progress: Callable[[int], None] = lambda _: None,
) -> FlipReport:
    """Compute the chosen records again and add up what comes of it.

    Args:
        config: whose rewarders speak, and whose ledger is read.
        chosen: which records.
        how: what they are compared with.
        tolerance: a change up to this is no flip.
        dry_run: record nothing. Judges that are asked anew keep to their budgets all the same.
        on_replay: told of every record, its replay, and its flip if it is one.
        progress: told how many more are done.

    Raises:
        ConfigError, PluginError: the service cannot be built as configured.
        LedgerError: the ledger cannot be read or written.
    """
    recording = config.ledger.model_copy(update={"enabled": how.live or not dry_run})
    quiet = config.model_copy(update={"ledger": recording})
    return asyncio.run(_recompute(quiet, chosen, how, FlipReport(tolerance), dry_run, on_replay, progress))


def size(config: ServiceConfig, chosen: Slice) -> int:
    """How many records will be looked at. Raises LedgerError."""
    if chosen.ids:
        return len(chosen.ids)
    with closing(LedgerReader(config.ledger.place)) as reader:
        return min(reader.matching(chosen.wanted), chosen.sample or chosen.limit or sys.maxsize)


def is_sample(config: ServiceConfig, chosen: Slice) -> bool:
    """Whether there are more records than are to be drawn. Raises LedgerError."""
    return bool(chosen.sample and not chosen.ids) and size(config, Slice(chosen.wanted)) > (chosen.sample or 0)


async def _recompute(
    config: ServiceConfig,
    chosen: Slice,
    how: Comparison,
    report: FlipReport,
    dry_run: bool,
    on_replay: OnReplay,
    progress: Callable[[int], None],
) -> FlipReport:
    with closing(LedgerReader(config.ledger.place)) as reader:
        async with open_service(config) as service:
            replayer = Replayer(service.engine, service.registry, RubricArchive(service.engine.rubrics, reader))
            async for records in _records(reader, chosen, _fitting(config)):
                replays = await asyncio.gather(*(replayer.replay(record, how) for record in records))
                if not dry_run:
                    await _keep(service, records, replays)
                for record, replay in zip(records, replays, strict=True):
                    on_replay(record, replay, report.add(record, replay))
                progress(len(records))
    return report


async def _keep(service: Service, records: Sequence[dict[str, Any]], replays: Sequence[Replay]) -> None:
    """Record the replays, but of no record that is erased, or was meanwhile: its evidence would come back."""
    ledger, redactor = service.engine.ledger, service.engine.redactor
    assert ledger is not None, "it was turned on"
    both = zip(records, replays, strict=True)
    entries = [replayed(record, replay, redactor) for record, replay in both if not record["erased"]]
    if not entries:
        return
    try:
        await ledger.append(entries)
    except SubjectErased:
        for entry in entries:
            with suppress(SubjectErased):
                await ledger.append([entry])


def _fitting(config: ServiceConfig) -> int:
    """How many records at once fit the queues, however many parts they have."""
    return max(1, min(_AT_ONCE, min(config.workers.max_waiting_jobs, config.calls.max_waiting) // _MOST_PARTS))


async def _records(reader: LedgerReader, chosen: Slice, at_once: int) -> AsyncIterator[list[dict[str, Any]]]:
    """Whole records, some at a time; the next are read while these are computed."""
    pages = _pages(reader, chosen, at_once)
    reading = asyncio.create_task(asyncio.to_thread(_read, reader, pages))
    while records := await reading:
        reading = asyncio.create_task(asyncio.to_thread(_read, reader, pages))
        yield records


def _read(reader: LedgerReader, pages: Iterator[list[str]]) -> list[dict[str, Any]]:
    return [_found(reader, one) for one in next(pages, [])]


def _found(reader: LedgerReader, record_id: str) -> dict[str, Any]:
    record = reader.record(record_id)
    if record is None:
        raise NotFound(f"there is no record {record_id!r:.60}", hint="`env-server audit list` lists records")
    require_subject(record, Kind.REPLAY)
    return record


def _pages(reader: LedgerReader, chosen: Slice, at_once: int) -> Iterator[list[str]]:
    """Ids of the slice, some at a time."""
    ids: Iterator[str] = iter(chosen.ids or _matching(reader, chosen))
    while page := list(islice(ids, at_once)):
        yield page


def _matching(reader: LedgerReader, chosen: Slice) -> Iterable[str]:
    return _drawn(reader, chosen.wanted, chosen.sample) if chosen.sample else _newest(reader, chosen)


def _newest(reader: LedgerReader, chosen: Slice) -> Iterator[str]:
    """Ids of all, or of the newest."""
    pages = all_pages(reader.search, chosen.wanted, at_once=_AT_ONCE)
    return islice((row["id"] for page in pages for row in page), chosen.limit)


def _drawn(reader: LedgerReader, wanted: RecordFilter, count: int) -> list[str]:
    """A uniform sample of all that match, in one pass (reservoir), always with the same draws."""
    draw, kept = random.Random(_SEED), list[str]()
    for seen, one in enumerate(_newest(reader, Slice(wanted))):
        if seen < count:
            kept.append(one)
        elif (place := draw.randrange(seen + 1)) < count:
            kept[place] = one
    return kept
