"""A string that pays whatever the task is, found without knowing what to look for.

A policy that has discovered a flaw of its reward writes the same thing for every task, and more and more often. A
right answer pays as well, but differs from task to task; what the layout wants is there from the first steps, or in the
prompt; what a kind of task needs is found with that kind alone. So a string is named when all of this holds:

- it is in few of the first rollouts, in many more now, and no prompt of those that have it contains it;
- within the groups of the last steps it goes with reward, far beyond chance (`association`), strongly, and in nearly
  every group that tells;
- it turns up in about as many groups as if it were strewn blindly.

Once a string is named, the rollouts that have it say nothing about others, so that its parts and its neighbours are not
named after it. Everything remembered is a fold over the lines of evidence.jsonl.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rewarders.types import FinishReason
from trainer.detectors.association import Association, associations
from trainer.detectors.ngrams import Ngrams, common_ngrams
from trainer.detectors.section import ShortcutDetector
from trainer.rollouts import Rollout

Decode = Callable[[Sequence[int]], str]

_MOST_CANDIDATES = 8_000
_MOST_EVIDENCE = 48
"""Strings whose evidence a step leaves on disk: those furthest from chance."""
_WORTH_REMEMBERING = 0.01
_NEARLY_ALL = 0.95
_LONGEST_NAME = 80


@dataclass(slots=True)
class ShortcutMemory:
    """What the lines of evidence.jsonl so far add up to."""

    section: ShortcutDetector
    first: dict[str, float] = field(default_factory=dict)
    """Share of the first rollouts that have each string; one that is not here is in almost none."""
    steps_seen: int = 0
    named: list[str] = field(default_factory=list)
    _window: deque[Mapping[str, Sequence[float]]] = field(init=False)

    def __post_init__(self) -> None:
        self._window = deque(maxlen=self.section.window - 1)  # the step at hand makes it whole

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in what one step found."""
        for key, share in line.get("first", {}).items():
            self.first[key] = self.first.get(key, 0.0) + share / self.section.first_steps
        self._window.append(line["strings"])
        if "named" in line:  # what was held against others may have been its doing
            self.named.append(line["named"])
            self._window.clear()
        self.steps_seen += 1

    def evidence(self, key: str) -> Association:
        """What the steps of the window say about a string."""
        numbers = (strings[key] for strings in self._window if key in strings)
        return sum(map(Association.of, numbers), Association())

    def bound(self, key: str) -> float:
        """Share of the rollouts from which on a string has grown."""
        return self.section.growth * self.first.get(key, 0.0) + self.section.least_share


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A string that pays."""

    string: str
    in_full: str
    """The string with what always stands around it."""
    share: float
    bound: float
    evidence: Association

    @property
    def said(self) -> str:
        """For a person."""
        known = self.evidence
        return (
            f"{self.in_full!r} is in {self.share:.1%} of the rollouts, no prompt asks for it, and it pays whatever the "
            f"task is: more in {known.agreeing} of {known.telling} groups (correlation {known.correlation:.2f})"
        )


def look(
    memory: ShortcutMemory, rollouts: Sequence[Rollout], rewards: Sequence[float | None], decode: Decode
) -> tuple[dict[str, Any], Shortcut | None]:
    """What a step adds to the evidence, as a line for `ShortcutMemory.add`, and the string it names, if any."""
    explained = set(carrying(memory.named, rollouts))
    rows = [row for row, reward in enumerate(rewards) if reward is not None and row not in explained]
    seen, known = [rollouts[row] for row in rows], [rewards[row] or 0.0 for row in rows]
    section = memory.section
    ngrams = common_ngrams([_written(one) for one in seen], longest=section.longest, least=2, most=_MOST_CANDIDATES)
    if memory.steps_seen < section.first_steps:
        return {"first": _shares(ngrams), "strings": {}}, None
    suspects = _suspects(memory, ngrams, seen, known, decode)
    line: dict[str, Any] = {"strings": {suspect.key: suspect.evidence.numbers() for suspect in suspects}}
    shortcut = _worst(memory, suspects, rollouts)
    return (line | {"named": shortcut.string} if shortcut else line), shortcut


def carrying(strings: Sequence[str], rollouts: Sequence[Rollout]) -> list[int]:
    """Rows whose text has one of the strings."""
    return [row for row, rollout in enumerate(rollouts) if any(string in rollout.text for string in strings)]


@dataclass(frozen=True, slots=True)
class _Suspect:
    key: str
    string: str
    evidence: Association
    """Of this step alone."""


def _suspects(
    memory: ShortcutMemory, ngrams: Ngrams, seen: Sequence[Rollout], rewards: Sequence[float], decode: Decode
) -> list[_Suspect]:
    """Strings that go with reward in this step and that neither habit nor prompt explains, surest first."""
    found = associations(ngrams.present, rewards, [one.group for one in seen])
    order = sorted(range(len(found)), key=lambda place: (-found[place].deviations, ngrams.tokens[place]))
    suspects: list[_Suspect] = []
    for place in order:
        if found[place].gain <= 0 or len(suspects) == _MOST_EVIDENCE:
            break
        key, string = _key(ngrams.tokens[place]), decode(ngrams.tokens[place]).strip()
        carriers = [seen[row] for row in ngrams.present[place].nonzero()[0]]
        if memory.first.get(key, 0.0) <= memory.section.habit and _is_unasked(string, carriers, memory.section.allowed):
            suspects.append(_Suspect(key, string, found[place]))
    return suspects


def _worst(memory: ShortcutMemory, suspects: Sequence[_Suspect], rollouts: Sequence[Rollout]) -> Shortcut | None:
    """Of the strings that the evidence of the window convicts, the surest; of its like the longest."""
    convicted: list[tuple[float, int, str, Shortcut]] = []
    for suspect in suspects:
        evidence, bound = memory.evidence(suspect.key) + suspect.evidence, memory.bound(suspect.key)
        if not _convicts(evidence, memory.section):
            continue
        carriers = carrying([suspect.string], rollouts)
        share = len(carriers) / len(rollouts)
        if share >= bound:
            in_full = _extended(suspect.string, [rollouts[row].text for row in carriers])
            shortcut = Shortcut(suspect.string, in_full, share, bound, evidence)
            convicted.append((round(evidence.deviations, 6), len(suspect.string), suspect.string, shortcut))
    return max(convicted, key=lambda each: each[:3])[3] if convicted else None


def _convicts(evidence: Association, section: ShortcutDetector) -> bool:
    return (
        evidence.telling >= section.least_groups
        and evidence.agreement >= section.agreement
        and evidence.correlation >= section.correlation
        and evidence.deviations >= section.deviations
        and evidence.spread >= section.spread
    )


def _is_unasked(string: str, carriers: Sequence[Rollout], allowed: Sequence[str]) -> bool:
    """Whether the string can be read in the completions, and no prompt or setting speaks of it."""
    if not string or any(string in known or known in string for known in allowed if known):
        return False
    readable = sum(string in rollout.text for rollout in carriers)
    asked = sum(string in _prompt(rollout) for rollout in carriers)
    return readable >= _NEARLY_ALL * len(carriers) and asked < len(carriers) / 2


def _extended(string: str, texts: Sequence[str]) -> str:
    """The string with the characters that stand before and after it in nearly every text."""
    whole, grown = string, True
    while grown and len(whole) < _LONGEST_NAME:
        after = Counter(text[text.index(whole) + len(whole) :][:1] for text in texts if whole in text)
        before = Counter(text[: text.index(whole)][-1:] for text in texts if whole in text)
        right, left = _agreed(after, len(texts)), _agreed(before, len(texts))
        whole, grown = (whole + right, True) if right else (left + whole, bool(left))
    return whole


def _agreed(characters: Counter[str], of: int) -> str:
    (character, count), *_ = characters.most_common(1) or [("", 0)]
    return character if count >= _NEARLY_ALL * of else ""


def _shares(ngrams: Ngrams) -> dict[str, float]:
    """Share of the rollouts that have each string, where it is worth remembering."""
    shares = ngrams.present.mean(1) if ngrams.present.size else []
    pairs = zip(ngrams.tokens, shares, strict=True) if ngrams.present.size else ()
    return {_key(tokens): round(float(share), 6) for tokens, share in pairs if share > _WORTH_REMEMBERING}


def _key(tokens: Sequence[int]) -> str:
    return " ".join(map(str, tokens))


def _written(rollout: Rollout) -> Sequence[int]:
    """Tokens of a completion without the one that ended it, which every whole completion has."""
    tokens = rollout.sample.tokens
    return tokens[:-1] if rollout.sample.finish_reason is FinishReason.STOP else tokens


def _prompt(rollout: Rollout) -> str:
    return "\n".join(message.content or "" for message in rollout.task.prompt)
