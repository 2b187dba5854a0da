"""What is read from the service now and then: queues, workers, ledger, judges, sandbox. Its parts keep `tallies`."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

from env_server.build import SERVICE_BUILD
from env_server.observing.logs import say

if TYPE_CHECKING:
    from env_server.service import Service

EVERY_S = 5.0
_log = logging.getLogger(__name__)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Together = Literal["livesum", "livemin", "livemax"]

_GAUGES: dict[str, tuple[str, tuple[str, ...], Together]] = {
    "assay_ready": ("1 where the service can score.", (), "livemin"),
    "assay_limited": ("1 where it cannot do all that it is configured for.", (), "livemax"),
    "assay_queue_length": ("Jobs or calls that are not answered yet.", ("queue",), "livesum"),
    "assay_queue_limit": ("How long the queue may become before requests are refused.", ("queue",), "livesum"),
    "assay_workers_alive": ("Worker processes there are.", ("pool",), "livesum"),
    "assay_workers_wanted": ("Worker processes there ought to be.", ("pool",), "livesum"),
    "assay_ledger_waiting_records": ("Records on their way into the ledger.", (), "livesum"),
    "assay_ledger_lag_seconds": ("How long the oldest of them has been waiting.", (), "livemax"),
    "assay_sandbox_ready": ("1 where programs can be run.", ("backend",), "livemin"),
    "assay_endpoint_open": ("1 where a judge or reward model is left alone after failures.", ("endpoint",), "livemax"),
    "assay_endpoint_requests": ("Requests under way to a judge or reward model.", ("endpoint",), "livesum"),
    "assay_endpoint_requests_limit": ("How many may be just now.", ("endpoint",), "livesum"),
    "assay_resident_memory_bytes": ("Of the server processes, without their workers.", (), "livesum"),
    "assay_start_time_seconds": ("When the server started, in Unix time.", (), "livemin"),
    "assay_build_info": ("Always 1; what runs is in the labels.", ("build", "python", "sandbox"), "livemax"),
}  # fmt: skip
"""Name: what it is, its labels, and how several processes' are put together."""

_COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "assay_workers_started": ("Worker processes that were started.", ("pool",)),
    "assay_workers_lost": ("Worker processes that ended on what they ran, or were ended from outside.", ("pool",)),
    "assay_workers_recycled": ("Worker processes that were replaced in good health.", ("pool",)),
    "assay_ledger_commits": ("Transactions.", ()),
    "assay_ledger_records": ("Records that are durable.", ()),
    "assay_ledger_written_bytes": ("Size of what was committed.", ()),
    "assay_ledger_commit_seconds": ("Time spent committing; its rate is how busy the writer is.", ()),
    "assay_judge_questions": ("Questions to a judge, by whether they had to be sent.", ("judge", "answer")),
    "assay_judge_tokens": ("Tokens of prompts and replies.", ("judge",)),
    "assay_judge_cost": ("Money, in the unit of the configured prices.", ("judge",)),
}


class Poll:
    """Reads the service and sets what is exposed. A counter goes on where the part's own count has gone on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges = {
            name: Gauge(name, text, labels, registry=registry, multiprocess_mode=mode)
            for name, (text, labels, mode) in _GAUGES.items()
        }
        self._counters = {
            name: Counter(name, text, labels, registry=registry) for name, (text, labels) in _COUNTERS.items()
        }
        self._before: dict[Hashable, float] = {}
        self._began_s = time.time()
        self._told: tuple[str | None, str | None] = (None, None)

    def refresh(self, service: "Service") -> None:
        """Read everything once."""
        for name, labels, value in _state(service, self._began_s):
            gauge = self._gauges[name]
            (gauge.labels(*labels) if labels else gauge).set(value)
        for name, labels, value in _counts(service):
            grown = value - self._before.get((name, labels), 0)
            self._before[name, labels] = value
            counter = self._counters[name]
            (counter.labels(*labels) if labels else counter).inc(max(grown, 0))

    async def keep_refreshing(self, service: "Service") -> None:
        """Until cancelled; what changes in the service's health is also logged."""
        while True:
            self.refresh(service)
            self._tell(service.trouble, service.limitation)
            await asyncio.sleep(EVERY_S)

    def _tell(self, trouble: str | None, limitation: str | None) -> None:
        if (trouble, limitation) == self._told:
            return
        self._told = (trouble, limitation)
        if trouble:
            say(_log, logging.ERROR, "not ready", why=trouble)
        elif limitation:
            say(_log, logging.WARNING, "limited", why=limitation)
        else:
            say(_log, logging.INFO, "ready")


Reading = tuple[str, tuple[str, ...], float]


def _state(service: "Service", began_s: float) -> Iterator[Reading]:
    config, ledger = service.config, service.engine.ledger
    yield "assay_ready", (), service.trouble is None
    yield "assay_limited", (), service.limitation is not None
    yield "assay_start_time_seconds", (), began_s
    yield "assay_resident_memory_bytes", (), _resident_bytes()
    yield "assay_build_info", (SERVICE_BUILD, sys.version.split()[0], config.sandbox.backend), 1
    yield "assay_sandbox_ready", (config.sandbox.backend,), service.sandbox.trouble is None
    yield "assay_queue_length", ("calls",), service.engine.calls.unanswered
    yield "assay_queue_limit", ("calls",), config.calls.max_waiting
    for name, pool in service.engine.pool.by_name:
        yield "assay_queue_length", (name,), pool.waiting
        yield "assay_queue_limit", (name,), pool.config.max_waiting_jobs
        yield "assay_workers_alive", (name,), pool.tally.alive
        yield "assay_workers_wanted", (name,), pool.wanted
    if ledger:
        yield "assay_ledger_waiting_records", (), ledger.waiting_records
        yield "assay_ledger_lag_seconds", (), ledger.lag_s
    for name, endpoint in service.engine.calls.models.endpoints:
        yield "assay_endpoint_open", (name,), endpoint.is_left_alone
        yield "assay_endpoint_requests", (name,), endpoint.under_way
        yield "assay_endpoint_requests_limit", (name,), endpoint.most_under_way


def _counts(service: "Service") -> Iterator[Reading]:
    for name, pool in service.engine.pool.by_name:
        yield "assay_workers_started", (name,), pool.tally.started
        yield "assay_workers_lost", (name,), pool.tally.lost
        yield "assay_workers_recycled", (name,), pool.tally.recycled
    if ledger := service.engine.ledger:
        yield "assay_ledger_commits", (), ledger.tally.commits
        yield "assay_ledger_records", (), ledger.tally.records
        yield "assay_ledger_written_bytes", (), ledger.tally.size_bytes
        yield "assay_ledger_commit_seconds", (), ledger.tally.busy_s
    for name, tally in service.engine.calls.models.judge_tallies:
        yield "assay_judge_questions", (name, "sent"), tally.asked
        yield "assay_judge_questions", (name, "remembered"), tally.remembered
        yield "assay_judge_tokens", (name,), tally.tokens
        yield "assay_judge_cost", (name,), tally.money


def condition(service: "Service") -> dict[str, Any]:
    """What `/readyz` says beside yes or no, for whoever operates the service."""
    ledger = service.engine.ledger
    return {
        "build": SERVICE_BUILD,
        "sandbox": service.sandbox.trouble or "ready",
        "calls": {"waiting": service.engine.calls.unanswered},
        "workers": {
            name: {"alive": pool.tally.alive, "wanted": pool.wanted, "waiting": pool.waiting}
            for name, pool in service.engine.pool.by_name
        },
        "ledger": {"waiting": ledger.waiting_records, "lag_s": round(ledger.lag_s, 3)} if ledger else None,
    }


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
