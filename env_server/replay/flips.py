"""Many replays added up: how many records flipped, which way, and how sure that is. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from env_server.replay.intervals import ClusteredMean, clopper_pearson
from env_server.replay.results import Replay, ReplayedPart, Result

_COMPARED = (Result.EQUAL, Result.DIFFERENT)
_TELLING = (Result.DIFFERENT, Result.COULD_NOT)


Flip = Literal["up", "down"]
"""Which way the reward of a record went; where it stayed, or is not known, which way the score of a component did."""


@dataclass
class FlipReport:
    """Added up as the replays come; holds a number for each group and none of the records."""

    tolerance: float = 0.0
    """A change up to this is no flip."""
    results: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    """What stood in the way of those that cannot be replayed."""
    up: int = 0
    down: int = 0
    transitions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Rewarder, reason then, reason now, of every verdict that was compared."""
    change: ClusteredMean = field(default_factory=ClusteredMean)
    """Of rewards, clustered by group."""

    def add(self, record: Mapping[str, Any], replay: Replay) -> Flip | None:
        """Count one record; which way it flipped, if it did."""
        self.results[replay.result] += 1
        if replay.why:
            self.why[replay.why] += 1
        if replay.result not in _COMPARED:
            return None
        for part in replay.components:
            if part.then and part.now:
                self.transitions[part.rewarder, part.then.reason, part.now.reason] += 1
        if replay.reward is not None and replay.old_reward is not None:
            self.change.add(_cluster(record), replay.reward - replay.old_reward)
        moved = self._moved(replay)
        if moved == 0:
            return None
        self.up, self.down = self.up + (moved > 0), self.down + (moved < 0)
        return "up" if moved > 0 else "down"

    @property
    def compared(self) -> int:
        """Records that were replayed, to whatever end."""
        return sum(self.results[result] for result in _COMPARED)

    @property
    def flips(self) -> int:
        """Records that flipped."""
        return self.up + self.down

    @property
    def share(self) -> float | None:
        """Of the records compared, those that flipped."""
        return self.flips / self.compared if self.compared else None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        low, high = clopper_pearson(self.flips, self.compared)
        changed, around = self.change, self.change.interval() or (None, None)
        return {
            "records": self.results.total(),
            "results": dict(sorted(self.results.items())),
            "why": dict(sorted(self.why.items())),
            "compared": self.compared,
            "flips": {"count": self.flips, "up": self.up, "down": self.down} | _figure(self.share, low, high),
            "reward_change": {"count": changed.count, "clusters": changed.clusters} | _figure(changed.mean, *around),
            "transitions": [
                {"rewarder": rewarder, "then": then, "now": now, "count": count}
                for (rewarder, then, now), count in sorted(self.transitions.items())
            ],
        }

    def _moved(self, replay: Replay) -> float:
        """How far the reward went; where it stayed, or is not known, how far the scores did."""
        if replay.reward is not None and replay.old_reward is not None:
            moved = replay.reward - replay.old_reward
            if abs(moved) > self.tolerance:
                return moved
        scores = [part.now.score - part.then.score for part in replay.components if part.then and part.now]
        return max((score for score in scores if abs(score) > self.tolerance), key=abs, default=0.0)


def _cluster(record: Mapping[str, Any]) -> object:
    """Completions sampled together lean the same way."""
    return (record["run"], record["step"], record["group"]) if record.get("group") else record["id"]


def _figure(value: float | None, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def as_line(record: Mapping[str, Any], replay: Replay, flip: Flip | None) -> dict[str, Any]:
    """A record that did not come out the same, for a list of them."""
    named = {name: record.get(name) for name in ("id", "run", "step", "group", "sample", "task_id", "rubric")}
    said = {"result": replay.result, "flip": flip, "old_reward": replay.old_reward, "reward": replay.reward}
    return {**named, **said, "parts": [_part(one) for one in replay.components if one.result in _TELLING]}


def _part(part: ReplayedPart) -> dict[str, Any]:
    said = {"then": part.then.model_dump() if part.then else None, "now": part.now.model_dump() if part.now else None}
    why = {"detail": part.detail, "version": part.environment.get("version")}
    return {"rewarder": part.rewarder, **said, **{name: value for name, value in why.items() if value}}
