"""Text folded for comparison, with a way back to the offsets of the original.

Folding forgets case, accents, the kind of quotation mark or dash, how much white space there is, and characters that
nobody sees. It works character by character, so that a piece of a text folds to a piece of the folded text.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

from rewarders.prose.invisible import is_visible

_CHUNK = 2048
_SPACES = re.compile(r" {2,}")
_QUOTES = dict.fromkeys("'‘’‚‛`´ʼ", "'") | dict.fromkeys('"“”„‟«»″「」『』', '"')
_ACCENTS = range(0x300, 0x370)


class _Fold(dict[int, str]):
    """What a character folds to, learnt as characters are met."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    if character in _QUOTES:
        return _QUOTES[character]
    if character.isspace():
        return " "
    if not is_visible(character):
        return ""
    if unicodedata.category(character) == "Pd" or character == "\u2212":
        return "-"
    spelled = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(part for part in spelled if ord(part) not in _ACCENTS)


_FOLD = _Fold()


def fold(text: str) -> str:
    """The text folded, without the way back."""
    return _collapsed(text.translate(_FOLD)).strip(" ")


def _collapsed(text: str) -> str:
    return _SPACES.sub(" ", text) if "  " in text else text


@dataclass(frozen=True, slots=True)
class Folded:
    """A text folded, and where each piece of it comes from."""

    text: str
    original: str
    chunk_starts: tuple[int, ...]
    """Where in the folded text each 2,048 characters of the original begin. Within them the way back is walked."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the original of what stands at `start` up to `end` here; `start < end`."""
        return self._origin(start), self._origin(end - 1) + 1

    def _origin(self, position: int) -> int:
        chunk = bisect_right(self.chunk_starts, position) - 1
        written = self.chunk_starts[chunk]
        spaced = written == 0 or self.text[written - 1] == " "
        for index in range(chunk * _CHUNK, len(self.original)):
            for character in _FOLD[ord(self.original[index])]:
                if character == " " and spaced:
                    continue
                if written == position:
                    return index
                written, spaced = written + 1, character == " "
        raise IndexError(f"position {position} is beyond a folded text of {len(self.text)} characters")


def folded(text: str) -> Folded:
    """Fold a text and keep the way back. Leading white space goes, trailing white space is one space at most."""
    pieces: list[str] = []
    starts: list[int] = []
    length, spaced = 0, True
    for start in range(0, len(text), _CHUNK):
        piece = _collapsed(text[start : start + _CHUNK].translate(_FOLD))
        piece = piece[1:] if spaced and piece.startswith(" ") else piece
        pieces.append(piece)
        starts.append(length)
        length += len(piece)
        spaced = piece.endswith(" ") if piece else spaced
    return Folded("".join(pieces), text, tuple(starts))
