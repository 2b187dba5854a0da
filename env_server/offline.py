"""`env-server score`: a file of items through the service's engine, without HTTP."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from env_server import strict_json
from env_server.app import open_service
from env_server.config import ServiceConfig
from env_server.progress import progress_bar
from env_server.schemas import Run
from env_server.service import Service
from rewarders.errors import ConfigError, RequestError
from rewarders.registry import first_problem

_ITEMS_AT_ONCE = 256
_ScoreBatch = Callable[[Service, list[bytes]], Awaitable[Iterator[dict[str, Any]]]]


@dataclass
class Summary:
    """What became of the items."""

    statuses: Counter[str] = field(default_factory=Counter)
    reward_sum: float = 0.0

    @property
    def total(self) -> int:
        """Items read."""
        return self.statuses.total()

    @property
    def scored(self) -> int:
        """Items with a reward."""
        return self.statuses["scored"]

    def add(self, item: dict[str, Any]) -> None:
        """Count one answer."""
        self.statuses[item["status"]] += 1
        self.reward_sum += item["reward"] or 0.0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        mean = self.reward_sum / self.scored if self.scored else None
        return {"items": self.total, **dict(self.statuses), "mean_reward": mean}

    def sentence(self) -> str:
        """For people."""
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items())) or "no items"
        return f"{counts}; mean reward {self.reward_sum / self.scored:.4f}" if self.scored else counts


def score_file(
    config: ServiceConfig, items: Path, output: Path | None, run: Run | None, *, explain: bool = False
) -> Summary:
    """Score a JSONL file, one result a line in the same order. A line that is wrong becomes an invalid result.

    Raises:
        ConfigError: a file cannot be opened.
        LedgerError: the rewards cannot be recorded.
    """
    lines = _count_lines(items)
    if output and output.exists() and output.samefile(items):
        raise ConfigError(f"--out is {output}, the file to be read", hint="give the results a file of their own")
    try:
        sink = output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout)
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}") from error
    with sink as results, progress_bar("scoring", lines) as advance:
        score = partial(_score_batch, run=run, explain=explain)
        return asyncio.run(_score(config, items, results, score, advance))


async def _score(
    config: ServiceConfig, items: Path, results: TextIO, score: _ScoreBatch, advance: Callable[[int], None]
) -> Summary:
    summary = Summary()
    async with open_service(config) as service:
        with items.open("rb") as source:
            lines = (line for line in source if line.strip())
            while batch := list(islice(lines, _ITEMS_AT_ONCE)):
                for answer in await score(service, batch):
                    summary.add(answer)
                    results.write(json.dumps(answer, ensure_ascii=False) + "\n")
                advance(len(batch))
    return summary


async def _score_batch(
    service: Service, lines: list[bytes], *, run: Run | None, explain: bool
) -> Iterator[dict[str, Any]]:
    raw = [_parse(line, service.config.server.max_json_values) for line in lines]
    answer = json.loads(await service.engine.score(raw, run, explain=explain))
    return iter(answer["items"])


def _parse(line: bytes, max_values: int) -> Any:
    """An unreadable line is handed on as None, which the engine answers as invalid in the line's place."""
    try:
        return strict_json.parse(line, max_values=max_values)
    except RequestError:
        return None


def named_run(name: str | None, step: int | None = None) -> Run | None:
    """The run that records belong to. Raises ConfigError naming the flag."""
    if name is None and step is not None:
        raise ConfigError(f"--step is {step}, and --run is not given", hint="a step is one of a run: name the run")
    try:
        return Run(id=name, step=step) if name is not None else None
    except ValidationError as error:
        raise ConfigError(f"--run is {name!r:.80}, --step {step}: {first_problem(error)}") from error


def _count_lines(items: Path) -> int | None:
    """For the progress bar; None for what can be read only once."""
    if items.exists() and not items.is_file():
        return None
    try:
        with items.open("rb") as source:
            return sum(1 for line in source if line.strip())
    except OSError as error:
        raise ConfigError(f"cannot read {items}: {error.strerror}", hint="give a JSONL file of items") from error
