"""Finding phrases at the opening of an answer, in whatever language it is."""

import re
from dataclasses import dataclass
from functools import cache

from rewarders.prose.blanking import spoken_prose
from rewarders.prose.folding import fold
from rewarders.prose.lookalikes import as_latin
from rewarders.prose.sentences import Span, sentences
from rewarders.safety import phrases

_QUOTED = re.compile(r'"[^"\n]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»|「[^「」]+」|(?m:^[ \t]{0,3}>[^\n]*$)')
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


def spoken(text: str) -> Spoken:
    """An answer, its quotations set aside."""
    prose = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), spoken_prose(text))
    return Spoken(prose, tuple(sentences(prose)))


def refusal(answer: Spoken, count: int) -> Found | None:
    """The first of the opening sentences that refuses."""
    return _first(answer.opening(count), _compiled("REFUSALS"))


def agreement(answer: Spoken, count: int) -> Found | None:
    """The first of the opening sentences that agrees."""
    return _first(answer.opening(count), _compiled("AGREEMENTS"))


def denies(sentence: str) -> bool:
    """Whether a sentence says that something in it is not so."""
    return bool(_denials().search(fold(sentence)))


def _first(opening: list[tuple[Span, str]], by_language: dict[str, re.Pattern[str]]) -> Found | None:
    for span, sentence in opening:
        for language, pattern in by_language.items():
            if pattern.search(sentence) or pattern.search(as_latin(sentence)):
                return Found(language, span)
    return None


@cache
def _compiled(name: str) -> dict[str, re.Pattern[str]]:
    table: dict[str, tuple[str, ...]] = getattr(phrases, name)
    return {language: re.compile("|".join(map(fold, patterns))) for language, patterns in table.items()}


@cache
def _denials() -> re.Pattern[str]:
    return re.compile("|".join(map(fold, phrases.DENIALS)))
