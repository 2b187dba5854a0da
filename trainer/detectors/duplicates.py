"""The same completion again: within a group there is nothing to compare, and for other tasks it cannot be an answer."""

from collections.abc import Sequence

from trainer.detectors.section import DuplicatesDetector
from trainer.rollouts import Rollout


def repeats(section: DuplicatesDetector, rollouts: Sequence[Rollout]) -> tuple[list[int], list[int]]:
    """Rows that repeat an earlier rollout of their group, and rows that repeat one of another task.

    White space at the ends and runs of it make no difference; of each text the first row is no repeat.
    """
    within: list[int] = []
    across: list[int] = []
    tasks_of: dict[str, set[str]] = {}
    seen: set[tuple[str, int]] = set()
    for row, rollout in enumerate(rollouts):
        text = " ".join(rollout.text.split())
        if len(text) < section.least_characters:
            continue
        tasks = tasks_of.setdefault(text, set())
        if (text, rollout.group) in seen:
            within.append(row)
        if tasks - {rollout.task.id}:
            across.append(row)
        tasks.add(rollout.task.id)
        seen.add((text, rollout.group))
    return within, across
