"""Every detector, once a step: what it found, what is done about it, and what is kept of it."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from env_server.schemas import ScoredItem
from trainer.detectors import trends
from trainer.detectors.alarms import Alarm, metrics_of
from trainer.detectors.duplicates import repeats
from trainer.detectors.section import DetectorsSection
from trainer.detectors.shortcut import Decode, ShortcutMemory, carrying, look
from trainer.detectors.signatures import carriers, chosen_signatures
from trainer.grading import reward_parts
from trainer.rollouts import Rollout


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rollouts of a step gave away, before anything was learnt from them."""

    alarms: tuple[Alarm, ...]
    evidence: Mapping[str, Any]
    """A line for evidence.jsonl; empty where nothing is to be remembered."""

    @property
    def masked(self) -> frozenset[int]:
        """Rows that are to teach nothing."""
        return frozenset(row for alarm in self.alarms if alarm.action == "mask" for row in alarm.rows)

    @property
    def metrics(self) -> dict[str, float]:
        """As metrics.jsonl names them."""
        masked = {"masked": float(len(self.masked))} if self.masked else {}
        return {**metrics_of(self.alarms), **masked}


class Watch:
    """The detectors of a run.

    Built from what a run has logged so far, it goes on as if it had seen every step itself.

    Raises:
        ConfigError: see `chosen_signatures`.
    """

    def __init__(
        self,
        section: DetectorsSection,
        decode: Decode,
        metrics: Sequence[Mapping[str, float]] = (),
        evidence: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._section = section
        self._decode = decode
        self._signatures = chosen_signatures(section.signatures)
        self.raised: tuple[Alarm, ...] = ()
        """What was said about the last step."""
        self._history = list(metrics)
        self._memory = ShortcutMemory(section.shortcut)
        for line in evidence:
            self._memory.add(line)

    def before(self, rollouts: Sequence[Rollout], graded: Sequence[ScoredItem]) -> Findings:
        """Look at the rollouts of a step, which must not be learnt from yet."""
        section, evidence = self._section, dict[str, Any]()
        alarms: list[Alarm] = []
        if section.duplicates.action != "off":
            alarms += self._duplicates(rollouts)
        if section.signatures.action != "off":
            alarms += self._known(rollouts)
        if section.shortcut.action != "off":
            evidence, found = self._unknown(rollouts, graded)
            alarms += found
        self.raised = tuple(alarms)
        return Findings(self.raised, evidence)

    def after(self, metrics: Mapping[str, float], graded: Sequence[ScoredItem]) -> tuple[Alarm, ...]:
        """Look at the figures of a finished step, in the light of those before it."""
        self._history.append(metrics)
        named = (pair for item in graded for pair in zip(reward_parts(item), item.components, strict=True))
        found = self._trends({name for name, part in named if part.gate or part.weight})
        self.raised += found
        return found

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Take in figures that were logged without a step: the evaluation before the first."""
        self._history.append(metrics)

    def standing(self) -> tuple[Alarm, ...]:
        """The alarms that the last step on record raised for its figures, as things are configured now."""
        last = self._history[-1] if self._history else {}
        paid = {name.removeprefix("component/") for name in last}
        return tuple(alarm for alarm in self._trends(paid) if f"alarm/{alarm.detector}" in last)

    def _duplicates(self, rollouts: Sequence[Rollout]) -> list[Alarm]:
        section = self._section.duplicates
        within, across = repeats(section, rollouts)
        found = (
            ("repeat another of their group", within, section.within_group),
            ("repeat a completion of another task", across, section.across_tasks),
        )
        return [
            _of_rows("duplicates", section.action, rows, len(rollouts), threshold, what)
            for what, rows, threshold in found
            if len(rows) > threshold * len(rollouts)
        ]

    def _known(self, rollouts: Sequence[Rollout]) -> list[Alarm]:
        action = self._section.signatures.action
        found = carriers(self._signatures, [rollout.text for rollout in rollouts])
        loud = [one for one in self._signatures if len(found.get(one.name, ())) > one.most_share * len(rollouts)]
        rows = sorted({row for one in loud for row in found[one.name]})
        if not loud:
            return []
        names = ", ".join(f"{one.name} ({len(found[one.name])})" for one in loud)
        return [_of_rows("signatures", action, rows, len(rollouts), loud[0].most_share, f"carry {names}")]

    def _unknown(self, rollouts: Sequence[Rollout], graded: Sequence[ScoredItem]) -> tuple[dict[str, Any], list[Alarm]]:
        section, memory = self._section.shortcut, self._memory
        line, named = look(memory, rollouts, [item.reward for item in graded], self._decode)
        memory.add(line)
        rows = carrying(memory.named, rollouts)
        if not rows:
            return line, []
        said = named.said if named else f"{', '.join(map(repr, memory.named))}: named earlier"
        share, bound = len(rows) / len(rollouts), named.bound if named else section.least_share
        alarm = Alarm(
            detector="shortcut", figure=share, threshold=bound, said=said, action=section.action, rows=tuple(rows)
        )
        return line, [alarm]

    def _trends(self, paid: Set[str]) -> tuple[Alarm, ...]:
        own, history = self._section, self._history
        asked: dict[str, tuple[str, Callable[[], trends.Found | None]]] = {
            "held_out": (own.held_out.action, lambda: trends.held_out_is_flat(own.held_out, history)),
            "length": (own.length.action, lambda: trends.length_drifts(own.length, history)),
            "entropy": (own.entropy.action, lambda: trends.entropy_strays(own.entropy, history)),
            "zero_variance": (
                own.zero_variance.action,
                lambda: trends.groups_agree(own.zero_variance, history),
            ),
            "components": (
                own.components.action,
                lambda: trends.components_part(own.components, history, paid),
            ),
            "unscored": (own.unscored.action, lambda: trends.rollouts_go_unscored(own.unscored, history)),
        }
        found = ((name, action, ask()) for name, (action, ask) in asked.items() if action != "off")
        return tuple(
            Alarm(detector=name, figure=seen[0], threshold=seen[1], said=seen[2], action=action)
            for name, action, seen in found
            if seen is not None
        )


def _of_rows(detector: str, action: str, rows: Sequence[int], of: int, threshold: float, what: str) -> Alarm:
    said = f"{len(rows)} of {of} rollouts {what}"
    return Alarm(
        detector=detector, figure=len(rows) / of, threshold=threshold, said=said, action=action, rows=tuple(rows)
    )
