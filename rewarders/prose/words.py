"""Words and numbers of a text. Where a script writes no spaces between words, each character is one."""

import re

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
_WORD = re.compile(rf"(?:(?<![\w)])-)?\d+(?:[.,]\d+)*|[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def words(text: str) -> list[str]:
    """The words of a text in order, as they are spelled."""
    return _WORD.findall(text)


def word_starts(text: str) -> list[int]:
    """Where each word begins."""
    return [match.start() for match in _WORD.finditer(text)]


def inside_a_word(text: str, at: int) -> bool:
    """Whether an offset lies between two characters of one word or number."""
    around = text[max(0, at - 2) : at + 2]
    return any(word.start() < min(at, 2) < word.end() for word in _WORD.finditer(around))


def is_number(word: str) -> bool:
    """Whether a word is a number, or begins like one."""
    return word[0].isdigit() or word[0] == "-"
