"""TRL's `reward_funcs`: one callable for each component of a rubric, and one HTTP call for all of them.

    trainer = GRPOTrainer(model, reward_funcs=reward_funcs("http://127.0.0.1:8080", "math.v1"), ...)

TRL leaves out of group statistics and of the loss what every function answers with `None`. Were only the component that
failed to say so, TRL would add up the others: here all of them do.
"""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any

from env_server.dialects.patience import PATIENT, Patience
from env_server.dialects.translation import completion_of, component_names, item_of, label_of, plain
from env_server.schemas import Item, Run, ScoredItem
from rewarders.digests import digest
from rewarders.errors import ConfigError

_OPEN_BATCHES = 64
"""Batches whose answer not every function has taken; older ones are forgotten, and asked again if need be."""


@dataclass(frozen=True)
class Asked:
    """What the functions of one rubric have in common."""

    url: str
    rubric: str
    label: str
    json_labels: bool
    run: str
    patience: Patience
    functions: int


@dataclass(frozen=True)
class RewardFunction:
    """What one component contributes to each completion's reward. A value: it can be pickled, and compared."""

    asked: Asked
    component: int
    """Its place in the rubric."""
    name: str

    @property
    def __name__(self) -> str:
        """What TRL logs it as."""
        return self.name

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], trainer_state: Any = None, **columns: Any
    ) -> list[float | None]:
        """The contributions, in order; None for each completion that the service left unscored.

        Raises:
            ConfigError: the data set has no column of labels.
            InvalidTask, ServiceUnreachable, RequestRefused: see `Patience.score`.
        """
        step = getattr(trainer_state, "global_step", None)
        items = _items(self.asked, prompts, completions, columns, step)
        first, scored = _exchange(self.asked, os.getpid()).take(self.component, items, step)
        if first:
            _tell(scored, columns)
        return [None if item.reward is None else item.components[self.component].contribution for item in scored]


def reward_funcs(
    url: str,
    rubric: str,
    *,
    label: str = "answer",
    json_labels: bool = False,
    run: str = "trl",
    patience: Patience = PATIENT,
) -> list[RewardFunction]:
    """One function for each part of the rubric that is paid or is a gate; their sum is the reward, so leave
    `reward_weights` alone.

    Args:
        url: where the reward service listens; it is asked what the rubric is made of.
        rubric: its name.
        label: the data set's column with the label: the reference's `answer`, or the reference itself where it is an
            object. `""` for a rubric that needs none.
        json_labels: labels that are text spell JSON, objects for instance.
        run: name of the run, for the service's ledger. TRL's step goes with it, which weights may follow.
        patience: how long to wait for the service.

    Raises:
        ConfigError: the service has no such rubric.
        ServiceUnreachable: no answer after every retry.
    """
    with ThreadPoolExecutor(1) as thread:
        known = thread.submit(asyncio.run, _parts(url, patience)).result()
    if rubric not in known:
        raise ConfigError(f"the service has no rubric {rubric!r}", hint=f"it has {', '.join(sorted(known))}")
    names = component_names([part["rewarder"] for part in known[rubric]])
    counted = [place for place, part in enumerate(known[rubric]) if part["gate"] or part["weight"] != 0]
    asked = Asked(url, rubric, label, json_labels, run, patience, len(counted))
    return [RewardFunction(asked, place, names[place]) for place in counted]


async def _parts(url: str, patience: Patience) -> dict[str, list[dict[str, Any]]]:
    async with patience.client(url) as client:
        return {rubric["name"]: rubric["parts"] for rubric in await client.rubrics()}


def _items(
    asked: Asked, prompts: Sequence[Any], completions: Sequence[Any], columns: dict[str, Any], step: int | None
) -> list[Item]:
    if asked.label and asked.label not in columns:
        raise ConfigError(
            f"the data set has no column {asked.label!r}",
            hint='name the column with reward_funcs(label=...); "" if the rubric needs none',
        )
    labels = columns[asked.label] if asked.label else [None] * len(prompts)
    items = []
    for sample, (prompt, completion, label) in enumerate(zip(prompts, completions, labels, strict=True)):
        truth = label_of(plain(label), asked.json_labels)
        raw = item_of(asked.rubric, prompt, completion_of(completion), truth, "trl")
        group = None if step is None else f"{step}/{raw['task']['id']}"
        items.append(Item.model_validate({**raw, "group": group, "sample": sample}))
    return items


def _tell(scored: Sequence[ScoredItem], columns: dict[str, Any]) -> None:
    """Where TRL offers it: the share that was left unscored as a metric, record ids beside the logged completions."""
    if log_metric := columns.get("log_metric"):
        log_metric("unscored", sum(item.reward is None for item in scored) / max(1, len(scored)))
    if log_extra := columns.get("log_extra"):
        log_extra("record_id", [item.record_id for item in scored])


@dataclass
class _Batch:
    answer: Future[list[ScoredItem]]
    taken: set[int] = field(default_factory=set)


class _Exchange:
    """Asks once for each batch, and hands the answer to each function once.

    TRL calls the functions one after another, or in threads side by side with those of other batches.
    """

    def __init__(self, asked: Asked, process: int) -> None:
        self._asked = asked
        self._open: dict[str, _Batch] = {}
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(thread_name_prefix="assay-rewards")
        """The caller's thread may have an event loop that runs."""

    def take(self, component: int, items: Sequence[Item], step: int | None) -> tuple[bool, list[ScoredItem]]:
        """Whether this function is the batch's first, and the answer. Raises as `Patience.score`."""
        key = digest([step, [item.model_dump(mode="json", exclude_none=True) for item in items]])
        with self._lock:
            batch = self._open.get(key)
            first = batch is None or component in batch.taken  # who has had its answer asks for another batch like it
            if batch is None or first:
                batch = self._open[key] = _Batch(self._threads.submit(asyncio.run, self._ask(items, step)))
            batch.taken.add(component)
            if len(batch.taken) == self._asked.functions:
                del self._open[key]
            elif len(self._open) > _OPEN_BATCHES:
                del self._open[next(iter(self._open))]
        return first, batch.answer.result()

    async def _ask(self, items: Sequence[Item], step: int | None) -> list[ScoredItem]:
        run = Run(id=self._asked.run, step=step)
        async with self._asked.patience.client(self._asked.url) as client:
            return await self._asked.patience.score(client, items, run)


_exchange = cache(_Exchange)
"""One for all functions of a rubric in a process, also for those that were pickled one by one. A process that was
forked has none of its parent's threads, and so needs another."""
