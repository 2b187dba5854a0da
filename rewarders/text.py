r"""Where in a completion the final answer is.

Thinking is set aside first. Then the first of these that is there decides: `\boxed{}` or `\fbox{}`,
`<answer>` tags, a `####` line, an `A:` or `Answer:` line, "the answer is ..." (labels and phrases in many
languages), a short text that is an answer as it stands, and at last the value that prose closes with.

Of two announced answers the later one holds. "Wait, it is 6" behind an answer replaces it; "or 6" makes it a hedge.

Every scan is linear and bounded: models write hostile text, and ten megabytes of it must cost less than a
blink.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rewarders.extraction.announced import Announced, alternative, correction, repeats
from rewarders.extraction.boxes import boxed, boxed_in_reference, opens_a_box
from rewarders.extraction.markers import hashed, labelled, phrased, tagged
from rewarders.extraction.prose import is_sentence, prose
from rewarders.prose.thinking import answer_span, never_ends

_BARE_CHARS = 256
_BARE_TOKEN_CHARS = 131_072
"""A text that is an answer as it stands is one short line, or one unbroken token."""

_ESCAPED_CHARS = 262_144
_ESCAPED_COMMAND = re.compile(
    r"(?<!\\)\\\\(?=(?:boxed|fbox|[dt]?frac|sqrt|text|mathrm|left|right|cdot|times|pi|infty|cup|cap|in|le|ge|pm|circ"
    r"|begin|end|sin|cos|tan|log|ln|quad|binom|overline|angle|theta|alpha|beta|lambda)(?![A-Za-z]))"
)
_ODD_BACKSLASHES = re.compile(r"(?<!\\)(?:\\\\)*\\(?!\\)")


class Extractor(StrEnum):
    """What gave the answer away."""

    BOX = "box"
    TAG = "tag"
    HASHES = "hashes"
    LABEL = "label"
    PHRASE = "phrase"
    BARE = "bare"
    PROSE = "prose"


@dataclass(frozen=True, slots=True)
class Extracted:
    """The final answer as the model spelled it."""

    answers: tuple[str, ...]
    """One; or several different ones, where the text closes with boxes side by side."""
    extractor: Extractor

    @property
    def text(self) -> str:
        """All of it as one list."""
        return ", ".join(self.answers)


def extract(text: str, accept: Sequence[Extractor] = tuple(Extractor)) -> Extracted | None:
    """Find the final answer of a whole completion, looking only where `accept` allows; None without one."""
    spoken = single_backslashes(after_thinking(text))
    for extractor in (name for name in Extractor if name in accept):
        found = _FINDERS[extractor](spoken)
        if found is not None:
            return _last_word(Extracted(_stripped(found), extractor), spoken[found.end :], accept)
    return None


def _last_word(found: Extracted, behind: str, accept: Sequence[Extractor]) -> Extracted:
    """The answer that stands once all is said: announced later on, corrected, or left beside another one.

    Each finder gives its last answer, so that none of them finds one twice.
    """
    for extractor in (name for name in _ANNOUNCING if name in accept):
        later = _FINDERS[extractor](behind)
        if later is None or not later.is_value:
            continue
        again = repeats(later.answers[-1], found.answers)
        newer = found if again else Extracted(_stripped(later), extractor)
        return _last_word(newer, behind[later.end :], accept)
    if Extractor.PROSE not in accept:
        return found
    if (corrected := correction(behind)) is not None and not repeats(corrected, found.answers):
        return Extracted((corrected,), Extractor.PROSE)
    other = alternative(behind)
    return found if other is None else Extracted((*found.answers, other), found.extractor)


def _stripped(found: Announced) -> tuple[str, ...]:
    return tuple(answer.strip() for answer in found.answers)


def final_answer(reference: str) -> str:
    """The answer of a reference that is a whole solution; else the reference, with single backslashes."""
    text = single_backslashes(reference)
    answers = boxed_in_reference(text)
    if not answers:
        found = hashed(text) or ((labelled(text) or phrased(text)) if is_sentence(text) else None)
        answers = found.answers if found else ()
    return ", ".join(answer.strip() for answer in answers) or text


def after_thinking(text: str) -> str:
    """The final answer's place: what follows the last thinking, up to a section of it that never closes."""
    start, end = answer_span(text)
    return text[start:end]


def unfinished(text: str) -> bool:
    """Whether a completion was cut off inside its thinking, or inside the box of its answer."""
    return never_ends(text) or opens_a_box(after_thinking(text))


def single_backslashes(text: str) -> str:
    r"""LaTeX that was escaped once too often, as in `\\boxed{\\frac{1}{2}}`, as it was meant.

    Where every backslash is doubled they are all halved, line breaks of a matrix too; otherwise only those before a
    well-known command are, outside of matrices.
    """
    tail = text[-_ESCAPED_CHARS:]
    if "\\\\" not in tail or not _ESCAPED_COMMAND.search(tail):
        return text
    if not _ODD_BACKSLASHES.search(tail):
        return tail.replace("\\\\", "\\")
    return text if "\\begin" in tail or "&" in tail else _ESCAPED_COMMAND.sub(r"\\", tail)


def _bare(text: str) -> Announced | None:
    if len(text) > 2 * _BARE_TOKEN_CHARS:
        return None
    line = text.strip()
    fits = len(line) <= _BARE_CHARS or (len(line) <= _BARE_TOKEN_CHARS and len(line.split(None, 1)) == 1)
    stands = line and fits and "\n" not in line and not (is_sentence(line) and prose(line))
    return Announced((line,), len(text)) if stands else None


def _prose(text: str) -> Announced | None:
    answers = tuple(prose(text))
    return Announced(answers, len(text)) if answers else None


_FINDERS: dict[Extractor, Callable[[str], Announced | None]] = {
    Extractor.BOX: boxed,
    Extractor.TAG: tagged,
    Extractor.HASHES: hashed,
    Extractor.LABEL: labelled,
    Extractor.PHRASE: phrased,
    Extractor.BARE: _bare,
    Extractor.PROSE: _prose,
}
_ANNOUNCING = (Extractor.BOX, Extractor.TAG, Extractor.HASHES, Extractor.LABEL, Extractor.PHRASE)
