"""What an answer says and what each piece of it cites. Pure, and the same for every citation rewarder.

Whatever is shown to the reader belongs to a claim. A heading, and a short sentence that cites nothing, are read with
what follows them; a short one that cites something can cost and earns nothing; a sentence that never ends is several;
prose in code is prose that cites nothing. Only the first thinking is not shown: a second one hides nothing.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import attrgetter

from rewarders.citation.content import Stems, content, different, numbers
from rewarders.citation.marks import Mark, marks, sound
from rewarders.citation.reference import Sources
from rewarders.prose.blanking import blanked, without_code
from rewarders.prose.blanking import said as shown
from rewarders.prose.folding import fold
from rewarders.prose.invisible import INVISIBLE, without_invisible
from rewarders.prose.sentences import Span, sentences
from rewarders.prose.words import word_starts, words

LONGEST_CLAIM = 80
"""Words that one claim has at most: as many as one window of a source, so that one citation covers no more."""
_CODE_WORDS = 5
_IN_A_ROW = re.compile(
    r"(?<![^\W_])[^\W_]++(?:['’.,-]?[^\W_]++)*+"
    r"(?:[,;:.!?\"'“”‘’]{0,2}[^\S\n]++[\"'“”‘’–—-]{0,2}[^\S\n]?[^\W_]++(?:['’.,-]?[^\W_]++)*+)*+"
)
"""Words with nothing but spaces and punctuation of prose between them."""
_HEADING = re.compile(r"\s*#[^\n]*")
_LINKS = re.compile(
    r"(?m)(?:\A|^[ \t\r]*+\n)"
    r"(?: {0,3}\[[^\[\]\s]{1,40}(?: [^\[\]\s]{1,40}){0,2}\]:[ \t]++<?(?:[a-z][a-z0-9+.-]{1,20}:|www\.|[.]{0,2}/|#)\S*+"
    r"[ \t\r]*+(?:\n|\Z))++"
)
"""Definitions of links, which are not shown: behind a blank line, a label of three words at most, a URL or a path."""
_HIDDEN = re.compile(f"[{INVISIBLE}]")
_start = attrgetter("start")


@dataclass(frozen=True)
class Claim:
    """One sentence that says something, or several that are too short to say it alone."""

    span: Span
    words: tuple[str, ...]
    """Folded, without its citations."""
    ids: tuple[str, ...]
    """The sources it cites, each once."""
    is_heading: bool = False
    """Whether it ends with a heading, which is a title of what follows."""

    @cached_property
    def content(self) -> Stems:
        """What it is about."""
        return content(self.words)

    @cached_property
    def numbers(self) -> Stems:
        """The numbers in it."""
        return numbers(self.words)

    def followed_by(self, other: "Claim") -> "Claim":
        """Both as one."""
        ids = tuple(dict.fromkeys(self.ids + other.ids))
        return Claim(Span(self.span.start, other.span.end), self.words + other.words, ids, other.is_heading)


@dataclass(frozen=True)
class Answer:
    """What an answer says to its reader, at the offsets of the completion, and its citations."""

    said: str
    """Without thinking."""
    prose: str
    """Without thinking and code: where citations and quotations are looked for."""
    marks: tuple[Mark, ...]
    numbered: bool

    @cached_property
    def text(self) -> str:
        """The prose, and what reads like prose in code: five words in a row."""
        return self.prose if self.prose is self.said else _with_words_in_code(self.prose, self.said)

    @cached_property
    def sentences(self) -> tuple[Span, ...]:
        """The sentences of the text; no character that nobody sees keeps one from ending."""
        text = self.text if self.text.isascii() else _HIDDEN.sub(" ", self.text)
        return tuple(sentences(text))

    @cached_property
    def is_empty(self) -> bool:
        """Whether nothing is said: no letter and no digit outside of code and citations."""
        return not any(map(str.isalnum, without_invisible(_without(self.prose, self.marks))))

    @cached_property
    def spelled(self) -> list[str]:
        """The words of all that is said, folded, without citations: code counts, as a reader can read it."""
        found = self.marks if self.prose is self.said else marks(self.said, (), numbered=self.numbered)
        return words(fold(_without(self.said, found)))

    @property
    def flawed(self) -> Mark | None:
        """The first bracket that means to cite and does not."""
        return next((mark for mark in self.marks if mark.flaw), None)

    def without_marks(self, span: Span) -> str:
        """What stands in a span, its citations replaced by spaces."""
        return _without(self.text[span.start : span.end], self._within(span), span.start)

    def cited_in(self, span: Span) -> list[Mark]:
        """The sound citations within a span."""
        return sound(self._within(span))

    def claims(self, min_words: int) -> list[Claim]:
        """The different claims: what repeats an earlier one adds its citations to it. None, if all are brief."""
        found: dict[tuple[str, ...], Claim] = {}
        for whole in self._stated(min_words):
            for claim in self._cut(whole):
                before = found.setdefault(claim.words, claim)
                if before is not claim and before.ids != claim.ids:
                    ids = tuple(dict.fromkeys(before.ids + claim.ids))
                    found[claim.words] = Claim(before.span, before.words, ids, before.is_heading)
        return list(found.values()) if any(len(spelled) >= min_words for spelled in found) else []

    def _stated(self, min_words: int) -> list[Claim]:
        """Sentences. What is no claim by itself is read with the next; the last, with the one before."""
        made: list[Claim] = []
        held: Claim | None = None
        for claim in filter(attrgetter("words"), map(self._claim, self.sentences)):
            if held and claim.is_heading and len(held.words) >= min_words:
                made.append(held)  # a heading that heads nothing
            elif held:
                claim = held.followed_by(claim)
            held = claim if claim.is_heading or (len(claim.words) < min_words and not claim.ids) else None
            if held is None:
                made.append(claim)
        if held and len(held.words) >= min_words:
            made.append(held)
        elif held and made:
            made[-1] = made[-1].followed_by(held)
        elif made and len(made[-1].words) == 1 and not made[-1].numbers:
            made.pop()  # as in "Sources: [1, 2]", which says nothing
        return made

    def _claim(self, span: Span) -> Claim:
        said = self.without_marks(span)
        cited = dict.fromkeys(name for mark in self.cited_in(span) for name in mark.ids)
        return Claim(span, tuple(words(fold(said))), tuple(cited), bool(_HEADING.fullmatch(said)))

    def _cut(self, claim: Claim) -> Iterator[Claim]:
        """A claim that is too long, as several: each of them has what it cites itself."""
        if len(claim.words) <= LONGEST_CLAIM:
            yield claim
            return
        starts = [claim.span.start + at for at in word_starts(self.without_marks(claim.span))]
        last = starts[len(starts) % LONGEST_CLAIM or LONGEST_CLAIM :: LONGEST_CLAIM]
        yield from map(self._claim, map(Span._make, pairwise([claim.span.start, *last, claim.span.end])))

    def _within(self, span: Span) -> tuple[Mark, ...]:
        first = bisect_left(self.marks, span.start, key=_start)
        return self.marks[first : bisect_left(self.marks, span.end, lo=first, key=_start)]


def counted(claims: list[Claim], unsupported: list[Claim], min_words: int) -> int:
    """Of how many claims a share is one. Each that is unsupported counts.

    Of the others brief ones do not, nor what was said before in nearly the same words: else many true ones would make
    little of one that is false.
    """
    false = {claim.words for claim in unsupported}
    long = [claim for claim in claims if len(claim.words) >= min_words and claim.words not in false]
    return different([(claim.content, claim.numbers) for claim in long]) + len(unsupported)


def read(text: str, sources: Sources) -> Answer:
    """An answer, read: thinking and code set aside."""
    said = _said(text)
    prose = without_code(said)
    found = marks(prose, sources.sources.keys(), numbered=sources.numbered)
    return Answer(said, prose, tuple(found), sources.numbered)


def _said(text: str) -> str:
    """What is shown, without the definitions of links."""
    text = shown(text)
    return _LINKS.sub(lambda links: blanked(links[0], 0, len(links[0])), text) if "]:" in text else text


def _without(text: str, found: Iterable[Mark], offset: int = 0) -> str:
    """A text that stands at an offset of the answer, with citations replaced by spaces."""
    pieces, at = [], 0
    for mark in found:
        start, end = mark.start - offset, min(mark.end - offset, len(text))
        pieces += [text[at:start], " " * (end - start)]
        at = end
    return "".join([*pieces, text[at:]])


def _with_words_in_code(prose: str, said: str) -> str:
    """The prose, with what reads like prose in code put back."""
    pieces, at = [], 0
    for row in _IN_A_ROW.finditer(_HIDDEN.sub(" ", said)):
        start, end = row.span()
        if prose[start:end].isspace() and len(words(row[0])) >= _CODE_WORDS:
            pieces += [prose[at:start], said[start:end]]
            at = end
    return "".join([*pieces, prose[at:]])
