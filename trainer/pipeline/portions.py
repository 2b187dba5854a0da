"""What is graded, and learnt from, together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from env_server.schemas import ScoredItem
from trainer.gathering import Gathered
from trainer.rollouts import Rollout


@dataclass(slots=True, eq=False)
class Portion:
    """A group of a draw; or all rounds of a draw, where groups without signal are drawn anew."""

    draw: int
    """The step it was drawn for."""
    place: int
    """Among the portions of the draw."""
    rollouts: list[Rollout]
    """Their groups count from 0 in the draw."""
    kept: list[bool] = field(default_factory=list)
    graded: list[ScoredItem] | None = None
    """None until all of them are."""
    rounds: int = 1
    sample_s: float = 0.0
    grade_s: float = 0.0


def joined(portions: Sequence[Portion]) -> Gathered:
    """What a step learns from, its groups counted from 0. All portions have to be graded."""
    found = Gathered()
    numbers: dict[tuple[int, int], int] = {}
    for portion in portions:
        for rollout in portion.rollouts:
            number = numbers.setdefault((portion.draw, rollout.group), len(numbers))
            found.rollouts.append(replace(rollout, group=number))
        found.graded += portion.graded or []
        found.kept += portion.kept
        found.rounds = max(found.rounds, portion.rounds)
        found.sample_s += portion.sample_s
        found.grade_s += portion.grade_s
    return found
