"""What is taken out of a record before it is written: secrets that a task, a completion or a judge's reply may hold.

Never out of what is scored. A match is masked by as many `█` as it had characters, so that places in evidence still
point at what they meant; the record says rule, version, where and how often, and never what was there. What else would
give it away goes too: pieces of it in evidence, what judges were sent, and digests of the texts it was in, which
anybody could try out. Pure, and linear in the record.
"""

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from pydantic_core import to_json

from env_server.redaction_rules import BuiltIn, Rule, built_in
from rewarders.digests import digest
from rewarders.patterns import find_all, hits
from rewarders.types import Completion, Message, Task

MASK = "█"
MOST_MATCHES = 1000
"""Of one rule in one text. Whoever writes more has the rest of the text masked: each further search could cost as much
as the first."""
PIECE_CHARS = 16
"""So much of what was masked in task or completion is masked in evidence and replies too."""
_REMEMBERED_PIECES = 65_536
_FIELDS = frozenset({*Task.model_fields, *Completion.model_fields, *Message.model_fields})
"""Keys that are ours."""
_NAMES = ("id", "rubric")
"""Fields of a task that name it; the record's columns hold them as well."""

_ESCAPE = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|/)")
"""As JSON may spell any character, within a text that is JSON itself or a piece of it."""

Document = dict[str, Any]
Span = tuple[int, int]


@dataclass
class _Found:
    """What was masked so far in one record."""

    counts: Counter[tuple[str, Rule]] = field(default_factory=Counter)
    pieces: set[str] = field(default_factory=set)

    def add(self, place: str, rule: Rule, text: str) -> None:
        self.counts[place, rule] += 1
        for spelled in dict.fromkeys((text, _ESCAPE.sub(_unescaped, text))):
            room = _REMEMBERED_PIECES - len(self.pieces)
            self.pieces.update(spelled[i : i + PIECE_CHARS] for i in range(min(room, len(spelled) - PIECE_CHARS + 1)))

    def touched(self, *places: str) -> bool:
        return any(place in places for place, _ in self.counts)

    def as_json(self) -> list[Document]:
        return [
            {"rule": rule.name, "version": rule.version, "in": place, "count": count}
            for (place, rule), count in self.counts.items()
        ]


@dataclass(frozen=True)
class Redactor:
    """Applies the rules of a service."""

    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, names: Sequence[BuiltIn], rules: Sequence[Rule]) -> "Redactor | None":
        """Of built-in rules by name, and rules of one's own; None where there are none."""
        chosen = (*map(built_in, names), *rules)
        return cls(chosen) if chosen else None

    def redact(self, task: Document, completion: Document, detail: Document) -> tuple[Document, Document, Document]:
        """All three as they are recorded.

        Args:
            task: as JSON.
            completion: as JSON.
            detail: `breakdown`, `models` and `task_digest` of the record; `redactions` is added.
        """
        found = _Found()
        named = {name: task[name] for name in _NAMES if name in task}
        task = {**_mapped(task, lambda text: self._mask(text, "task", found)), **named}
        completion = _mapped(completion, lambda text: self._mask(text, "completion", found))
        detail = self._detail(detail, found)
        if found.touched("task"):
            detail["task_digest"] = digest(task)
        if found.touched("completion"):
            detail["breakdown"] = {**detail["breakdown"], "completion_digest": digest(completion)}
        return task, completion, {**detail, "redactions": found.as_json()}

    def redact_note(self, detail: Document) -> Document:
        """What a record about another says, as it is recorded; with `redactions` where something was masked."""
        found = _Found()
        masked = {
            name: _mapped(value, lambda text: self._mask(text, "detail", found)) for name, value in detail.items()
        }
        return {**masked, "redactions": found.as_json()} if found.counts else detail

    def redact_reply(self, reply: bytes, completion_digests: dict[str, str]) -> bytes:
        """The answer to a request as it is kept for its idempotency key.

        Args:
            reply: a `ScoreResponse` in JSON.
            completion_digests: what stands on the record instead, by record id.
        """
        answer = json.loads(reply)
        for item in answer["items"]:
            whole = self._component({"fault": item["fault"]}, _Found())
            item["fault"], item["components"] = (
                whole["fault"],
                [self._component(one, _Found()) for one in item["components"]],
            )
            item["completion_digest"] = completion_digests.get(item["record_id"], item["completion_digest"])
        return to_json(answer)

    def finds_nothing(self, value: Any) -> bool:
        """Whether the value could be kept as it is, in whatever spelling of JSON."""
        found = _Found()
        _mapped(value, lambda text: self._mask(text, "", found))
        return not found.counts

    @cached_property
    def _patterns(self) -> tuple[str, ...]:
        return tuple(rule.pattern for rule in self.rules)

    def _detail(self, detail: Document, found: _Found) -> Document:
        breakdown = detail["breakdown"]
        components = [self._component(one, found) for one in breakdown["components"]]
        models = [self._models(one, found) for one in detail["models"]]
        return {**detail, "breakdown": {**breakdown, "components": components}, "models": models}

    def _component(self, component: Document, found: _Found) -> Document:
        """Evidence, and the message of a fault; the rest is names, codes and numbers."""
        said = {name: component[name] for name in ("verdict", "fault") if component.get(name)}
        if "verdict" in said:
            evidence = _mapped(said["verdict"]["evidence"], lambda text: self._mask_detail(text, found))
            said["verdict"] = {**said["verdict"], "evidence": evidence}
        if "fault" in said:
            said["fault"] = {**said["fault"], "message": self._mask_detail(said["fault"]["message"], found)}
        return {**component, **said}

    def _models(self, models: Document | None, found: _Found) -> Document | None:
        return models and {**models, "exchanges": [self._exchange(one, found) for one in models["exchanges"]]}

    def _exchange(self, exchange: Document, found: _Found) -> Document:
        """A judge is sent texts in more than one spelling; where one of them held something, none is kept."""
        before = sum(found.counts.values())
        masked: Document = _mapped(exchange, lambda text: self._mask_detail(text, found))
        if sum(found.counts.values()) == before and not found.touched("task", "completion"):
            return exchange
        names = ("judge", "identity", "reported", "nonce", "reward_model")
        kept = {name: exchange[name] for name in names if name in exchange}
        return {**masked, **kept, **{name: None for name in ("request", "question", "logprobs") if name in exchange}}

    def _mask(self, text: str, place: str, found: _Found) -> str:
        spans = list(dict.fromkeys([*self._matches(text), *self._matches_unescaped(text)]))
        for start, end, rule in spans:
            found.add(place, rule, text[start:end])
        return _covered(text, [(start, end) for start, end, _ in spans])

    def _mask_detail(self, text: str, found: _Found) -> str:
        pieces = found.pieces
        at = (i for i in range(len(text) - PIECE_CHARS + 1) if text[i : i + PIECE_CHARS] in pieces) if pieces else ()
        return self._mask(_covered(text, [(i, i + PIECE_CHARS) for i in at]), "detail", found)

    def _matches_unescaped(self, text: str) -> Iterator[tuple[int, int, Rule]]:
        """What only shows once the escapes of JSON are read, at its place in the text as it is."""
        if _ESCAPE.search(text):
            plain, place = _without_escapes(text)
            yield from ((place(start), place(end), rule) for start, end, rule in self._matches(plain))

    def _matches(self, text: str) -> Iterator[tuple[int, int, Rule]]:
        for index, _ in hits(self._patterns, text):
            spans = list(islice(find_all(self._patterns[index], text), MOST_MATCHES))
            if len(spans) == MOST_MATCHES:
                spans[-1] = (spans[-1][0], len(text))
            for start, end in spans:
                yield start, end, self.rules[index]


def _covered(text: str, spans: Sequence[Span]) -> str:
    """The text with those places masked, which may overlap."""
    kept, reached = [], 0
    for start, end in sorted(spans):
        if end > reached:
            kept += [text[reached : max(start, reached)], MASK * (end - max(start, reached))]
            reached = end
    return "".join([*kept, text[reached:]])


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else "/"


def _without_escapes(text: str) -> tuple[str, Callable[[int], int]]:
    """The text with escapes read, and from an offset in it to the one in the text."""
    pieces, here, there = list[str](), [0], [0]
    length = 0
    for escape in _ESCAPE.finditer(text):
        pieces += [text[there[-1] : escape.start()], _unescaped(escape)]
        length += len(pieces[-2])
        here += [length, length + 1]
        there += [escape.start(), escape.end()]
        length += 1

    def place(offset: int) -> int:
        piece = bisect_right(here, offset) - 1
        return there[piece] + offset - here[piece]

    return "".join([*pieces, text[there[-1] :]]), place


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON with every text changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        keys = (key if key in _FIELDS else change(key) for key in value)
        return _with_other_keys(list(zip(keys, (_mapped(one, change) for one in value.values()), strict=True)))
    return [_mapped(one, change) for one in value] if isinstance(value, list | tuple) else value


def _with_other_keys(pairs: list[tuple[str, Any]]) -> Document:
    """Keys that became the same are numbered, so that nothing is lost."""
    changed: Document = {}
    for key, one in pairs:
        changed[key if key not in changed else f"{key}#{len(changed)}"] = one
    return changed
