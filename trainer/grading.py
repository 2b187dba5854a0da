"""Rollouts to graded rollouts, through the reward service. What could not be scored has no number."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from env_server.client import RewardClient
from env_server.schemas import Item, Run, ScoredItem, ScoreResponse, Status
from rewarders.digests import digest
from rewarders.errors import FaultBudgetExceeded, InvalidTask
from trainer.rollouts import Part, Rollout


class Grader(Protocol):
    """Grades rollouts, one answer a rollout and in their order."""

    def grade(self, rollouts: Sequence[Rollout], run: Run) -> list[ScoredItem]:
        """Grade the rollouts of one step of a run. Raises InvalidTask for a task the service cannot grade."""
        ...


class Scorer(Protocol):
    """What of a `RewardClient` grading needs."""

    def score(self, items: Sequence[Item], run: Run | None = None, idempotency_key: str | None = None) -> ScoreResponse:
        """See `RewardClient.score`."""
        ...


class ClientPerThread:
    """A `Scorer` for all threads: each has a client of its own. Use it as a context manager, and end it last."""

    def __init__(self, connect: Callable[[], RewardClient]) -> None:
        self._connect, self._own, self._all = connect, threading.local(), list[RewardClient]()

    def score(self, items: Sequence[Item], run: Run | None = None, idempotency_key: str | None = None) -> ScoreResponse:
        """See `RewardClient.score`."""
        if not hasattr(self._own, "client"):
            self._own.client = self._connect()
            self._all.append(self._own.client)
        answer: ScoreResponse = self._own.client.score(items, run, idempotency_key)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._all:
            client.close()


class ServiceGrader:
    """Grades through a running reward service, for one thread or for as many as its client is for.

    The idempotency key of a request is a digest of what it asks, so a run that was killed and resumed gets
    the answers that were recorded for it the first time, and leaves no second record. `nonce` tells one run from
    another that asks the same, perhaps of a service that was mended in between.
    """

    def __init__(self, client: Scorer, *, items_per_request: int, nonce: str) -> None:
        self._client = client
        self._items_per_request = items_per_request
        self._nonce = nonce

    def grade(self, rollouts: Sequence[Rollout], run: Run) -> list[ScoredItem]:
        """Grade in chunks of at most `items_per_request`.

        Raises:
            InvalidTask: the service says that an item is wrong; the message names its task.
            ServiceUnreachable, RequestRefused: see `RewardClient.score`.
        """
        graded: list[ScoredItem] = []
        for start in range(0, len(rollouts), self._items_per_request):
            items = [_item(rollout, run) for rollout in rollouts[start : start + self._items_per_request]]
            asked = [item.model_dump(mode="json") for item in items]
            key = digest({"nonce": self._nonce, "run": run.model_dump(), "items": asked})
            graded += self._client.score(items, run=run, idempotency_key=key).items
        _refuse_invalid(rollouts, graded)
        return graded


def _item(rollout: Rollout, run: Run) -> Item:
    group = f"{run.step}/{rollout.group}"
    return Item(task=rollout.task, completion=rollout.completion, group=group, sample=rollout.index)


def _refuse_invalid(rollouts: Sequence[Rollout], graded: Sequence[ScoredItem]) -> None:
    for rollout, item in zip(rollouts, graded, strict=True):
        if item.status is Status.INVALID:
            detail = item.problem.detail if item.problem else "no reason given"
            raise InvalidTask(
                f"the service cannot grade task {rollout.task.id}: {detail}", hint="correct the task, or drop it"
            )


def check_fault_budget(graded: Sequence[ScoredItem], budget: float, step: int) -> None:
    """Stop rather than train on the survivors of an outage.

    Raises:
        FaultBudgetExceeded: more than the share `budget` is unscored; the message counts the faults by kind.
    """
    faults = [item.fault for item in graded if item.reward is None]
    if len(faults) <= budget * len(graded):
        return
    kinds = Counter(fault.kind if fault else "unknown" for fault in faults)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    example = next((fault.message for fault in faults if fault), "")
    raise FaultBudgetExceeded(
        f"step {step}: {len(faults)} of {len(graded)} rollouts are unscored ({counted}); "
        f"grading.fault_budget = {budget:g}",
        hint=f"repair the service, then run again from the last checkpoint; one fault says: {example[:200]}",
    )


def reward_parts(item: ScoredItem) -> dict[str, Part]:
    """What each component added to the reward, by its name; see `component_means` for twins."""
    seen: Counter[str] = Counter()
    parts: dict[str, Part] = {}
    for part in item.components:
        seen[part.rewarder] += 1
        parts[_name(part.rewarder, seen[part.rewarder])] = (part.contribution, abs(part.weight))
    return parts


def _name(rewarder: str, occurrence: int) -> str:
    return rewarder if occurrence == 1 else f"{rewarder}#{occurrence}"


def component_means(graded: Sequence[ScoredItem]) -> dict[str, float]:
    """Mean score of each component over the rollouts where it has a verdict, in the order of the rubric.

    A rewarder that stands in a rubric twice is told apart by its place: `maths.equal`, `maths.equal#2`.
    """
    scores: dict[str, list[float]] = {}
    for item in graded:
        seen: Counter[str] = Counter()
        for part in item.components:
            seen[part.rewarder] += 1
            if part.verdict is not None:
                scores.setdefault(_name(part.rewarder, seen[part.rewarder]), []).append(part.verdict.score)
    return {name: sum(values) / len(values) for name, values in scores.items()}
