"""The sentences of an answer and what each cites. Pure, and the same for every citation rewarder."""

from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter

from rewarders.citation.marks import Mark, marks, sound
from rewarders.citation.reference import Sources
from rewarders.prose.blanking import spoken_prose
from rewarders.prose.folding import fold
from rewarders.prose.sentences import Span, sentences
from rewarders.prose.words import words

_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence that says something."""

    span: Span
    words: tuple[str, ...]
    """Folded, without its citations."""
    ids: tuple[str, ...]
    """The sources it cites, each once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says to its reader: its prose at the offsets of the completion, and its citations."""

    prose: str
    marks: tuple[Mark, ...]
    sentences: tuple[Span, ...]

    @property
    def flawed(self) -> Mark | None:
        """The first bracket that means to cite and does not."""
        return next((mark for mark in self.marks if mark.flaw), None)

    @property
    def bare(self) -> str:
        """The prose without its citations."""
        return self.without_marks(Span(0, len(self.prose)))

    def without_marks(self, span: Span) -> str:
        """What stands in a span, its citations left out."""
        pieces, at = [], span.start
        for mark in self._within(span):
            pieces.append(self.prose[at : mark.start])
            at = mark.end
        pieces.append(self.prose[min(at, span.end) : span.end])
        return " ".join(pieces)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said: no letter and no digit outside of citations."""
        return not any(map(str.isalnum, self.bare))

    def cited_in(self, span: Span) -> list[Mark]:
        """The sound citations within a span."""
        return sound(self._within(span))

    def claims(self, min_words: int) -> list[Claim]:
        """The different claims. A sentence that repeats an earlier one adds its citations to it and is no other."""
        found: dict[tuple[str, ...], Claim] = {}
        for span in self.sentences:
            said = self.without_marks(span)
            spelled = tuple(words(fold(said)))
            if len(spelled) < min_words or said.lstrip().startswith("#"):
                continue
            cited = [name for mark in self.cited_in(span) for name in mark.ids]
            before = found.get(spelled, Claim(span, spelled, ()))
            found[spelled] = Claim(before.span, spelled, tuple(dict.fromkeys([*before.ids, *cited])))
        return list(found.values())

    def _within(self, span: Span) -> tuple[Mark, ...]:
        first = bisect_left(self.marks, span.start, key=_start)
        return self.marks[first : bisect_left(self.marks, span.end, lo=first, key=_start)]


def read(text: str, sources: Sources) -> Answer:
    """An answer, read: thinking and code set aside."""
    prose = spoken_prose(text)
    found = marks(prose, sources.sources.keys(), numbered=sources.numbered)
    return Answer(prose, tuple(found), tuple(sentences(prose)))
