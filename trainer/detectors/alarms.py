"""What a detector says, and what ends a run on its word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from env_server.schemas import ScoredItem
from rewarders.errors import TrainingError
from trainer.rollouts import Rollout

_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One detector at one step."""

    detector: str
    """Name of its section."""
    figure: float
    threshold: float
    said: str
    """What was found, for a person."""
    action: str
    rows: tuple[int, ...] = ()
    """The rollouts concerned, by their place in the step; none where the alarm is about the run."""

    @property
    def did(self) -> str:
        """What was done about it."""
        return {"mask": f"masked {len(self.rows)} rollouts", "stop": "stopped"}.get(self.action, "warned")

    @property
    def sentence(self) -> str:
        """The alarm as a line on the console."""
        return f"alarm {self.detector}: {self.said} ({self.figure:.3g}, threshold {self.threshold:.3g}): {self.did}"

    @property
    def metrics(self) -> dict[str, float]:
        """As metrics.jsonl names it."""
        return {f"alarm/{self.detector}": 1.0, f"alarm/{self.detector}/figure": self.figure}

    def line(self, step: int, rollouts: Sequence[Rollout] = (), graded: Sequence[ScoredItem] = ()) -> dict[str, Any]:
        """As alarms.jsonl keeps it, with the first few rollouts concerned."""
        examples = [_example(rollouts[row], graded[row]) for row in self.rows[:_EXAMPLES]]
        figures = {"figure": self.figure, "threshold": self.threshold}
        named = {"step": step, "detector": self.detector, **figures, "did": self.did, "said": self.said}
        return {**named, "rollouts": len(self.rows), "examples": examples}


def _example(rollout: Rollout, item: ScoredItem) -> dict[str, Any]:
    where = {"task_id": rollout.task.id, "group": rollout.group, "sample": rollout.index, "record_id": item.record_id}
    return {**where, "reward": item.reward, "completion": rollout.text[:_EXAMPLE_CHARACTERS]}


class StoppedByDetector(TrainingError):
    """A detector whose action is `stop` spoke."""

    def __init__(self, step: int, alarm: Alarm, *, done: int, lines: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(
            f"step {step}: {alarm.sentence}",
            hint=f"look at alarms.jsonl and mend the reward in a new run; to go on with this one, change "
            f"[detectors.{alarm.detector}], its action for instance, and run again",
        )
        self.done = done
        """Steps that were taken: the one at hand is not among them where its rollouts raised the alarm."""
        self.lines = lines
        """For alarms.jsonl, once a checkpoint is written: a step that was not taken is no part of it."""


def heed(step: int, alarms: Sequence[Alarm], lines: Sequence[Mapping[str, Any]] = (), *, done: int) -> None:
    """End the run where one of the alarms asks for it.

    Raises:
        StoppedByDetector: naming the first of them.
    """
    stop = next((alarm for alarm in alarms if alarm.action == "stop"), None)
    if stop is not None:
        raise StoppedByDetector(step, stop, done=done, lines=lines)


def metrics_of(alarms: Sequence[Alarm]) -> Mapping[str, float]:
    """The figures of several alarms, as metrics.jsonl names them."""
    return {name: value for alarm in alarms for name, value in alarm.metrics.items()}
