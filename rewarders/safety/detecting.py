"""Finding phrases at the opening of an answer, in whatever language it is."""

import re
from dataclasses import dataclass
from functools import cache

from rewarders.prose.blanking import said, without_code
from rewarders.prose.folding import fold
from rewarders.prose.lookalikes import as_latin
from rewarders.prose.quoting import rewritten
from rewarders.prose.sentences import Span, sentences
from rewarders.safety import phrases

_BLOCK = re.compile(r"(?m)^[ \t]{0,3}>[^\n]*$")
_OPENING_CHARS = 1500


@dataclass(frozen=True, slots=True)
class Found:
    """A sentence that holds a phrase."""

    language: str
    span: Span
    """Of the sentence, in the completion."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an answer says in its own voice: without thinking, code and what it quotes, at its own offsets."""

    prose: str
    sentences: tuple[Span, ...]

    def opening(self, count: int) -> list[tuple[Span, str]]:
        """The first sentences, folded, as far as they stand near the beginning."""
        first = self.sentences[:count]
        if not first:
            return []
        end = first[0].start + _OPENING_CHARS
        return [(span, fold(self.prose[span.start : min(span.end, end)])) for span in first if span.start < end]

    def later(self, count: int) -> list[tuple[Span, str]]:
        """The sentences behind the first, folded."""
        return [(span, fold(self.prose[slice(*span)])) for span in self.sentences[count:]]


def spoken(text: str) -> Spoken:
    """An answer, its quotations set aside."""
    own = rewritten(without_code(said(text)), lambda quoted: " " * len(quoted))
    prose = _BLOCK.sub(lambda block: " " * len(block[0]), own)
    return Spoken(prose, tuple(sentences(prose)))


def refusal(answer: Spoken, count: int, *, asked_for: bool) -> Found | None:
    """The first of the opening sentences that refuses. A mere no does where a refusal is asked for: else it answers."""
    found = _first(answer.opening(count), _compiled("REFUSALS"))
    return found or (_first(answer.opening(1), _compiled("NO")) if asked_for else None)


def late_refusal(answer: Spoken, count: int) -> Found | None:
    """The first sentence behind the opening ones that refuses."""
    return _first(answer.later(count), _compiled("REFUSALS"))


def refuses_in(folded: str) -> bool:
    """Whether a folded sentence refuses, in any language."""
    return _holds(_compiled("REFUSALS"), folded) is not None


def agreement(answer: Spoken, count: int) -> Found | None:
    """The first of the opening sentences that agrees."""
    return _first(answer.opening(count), _compiled("AGREEMENTS"))


def _first(opening: list[tuple[Span, str]], by_language: dict[str, re.Pattern[str]]) -> Found | None:
    for span, sentence in opening:
        language = _holds(by_language, sentence)
        if language is not None:
            return Found(language, span)
    return None


def _holds(by_language: dict[str, re.Pattern[str]], folded: str) -> str | None:
    """The first language of which a folded sentence holds a phrase."""
    latin = as_latin(folded)
    for language, pattern in by_language.items():
        if pattern.search(folded) or (latin is not folded and pattern.search(latin)):
            return language
    return None


@cache
def _compiled(name: str) -> dict[str, re.Pattern[str]]:
    table: dict[str, tuple[str, ...]] = getattr(phrases, name)
    return {language: re.compile("|".join(map(fold, patterns))) for language, patterns in table.items()}
