"""The rollouts of a step, drawn in rounds until enough groups disagree about their task (dynamic sampling, DAPO, arXiv
2503.14476, eq. 11)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from env_server.schemas import ScoredItem
from trainer.rollouts import Rollout

SAME_REWARD = 1e-6
"""Rewards nearer than this are equal but for rounding."""

DrawRound = Callable[[int, int], list[Rollout]]
"""Rollouts of a round (from 0) with that many prompts, whose groups count from 0."""
Grade = Callable[[Sequence[Rollout]], list[ScoredItem]]


@dataclass(slots=True)
class Gathered:
    """All that was drawn in a step, and what of it is learnt from."""

    rollouts: list[Rollout] = field(default_factory=list)
    graded: list[ScoredItem] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    """Of each rollout, whether its group is in the batch."""
    rounds: int = 0
    sample_s: float = 0.0
    grade_s: float = 0.0


def gather(draw_round: DrawRound, grade: Grade, *, groups: int, rounds: int) -> Gathered:
    """Draw groups, in as many rounds as it takes and at most so many.

    With one round every group is kept. With several, those without signal are drawn anew, with other prompts; if the
    last round still leaves too few, the batch is smaller, and if there are none, it is all of it, without signal.
    """
    found = Gathered()
    missing = groups
    while missing and found.rounds < rounds:
        started = time.perf_counter()
        offset = len({rollout.group for rollout in found.rollouts})
        drawn = [replace(rollout, group=rollout.group + offset) for rollout in draw_round(found.rounds, missing)]
        sampled = time.perf_counter()
        graded = grade(drawn)
        found.sample_s += sampled - started
        found.grade_s += time.perf_counter() - sampled
        signal = _groups_with_signal(drawn, graded)
        found.rollouts += drawn
        found.graded += graded
        found.kept += [rounds == 1 or rollout.group in signal for rollout in drawn]
        found.rounds += 1
        missing -= len(signal) if rounds > 1 else missing
    if not any(found.kept):
        found.kept = [True] * len(found.kept)
    return found


def _groups_with_signal(rollouts: Sequence[Rollout], graded: Sequence[ScoredItem]) -> set[int]:
    rewards: dict[int, list[float]] = {}
    for rollout, item in zip(rollouts, graded, strict=True):
        if item.reward is not None:
            rewards.setdefault(rollout.group, []).append(item.reward)
    return {group for group, known in rewards.items() if max(known) - min(known) > SAME_REWARD}
