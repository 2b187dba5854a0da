"""Patterns for a text that was folded: spelled as folding would spell them, so that they find what is hidden from them.

A pattern for `взрыв` or `café` meets a text without capitals and accents; its own letters therefore go the same way.
What is ASCII in a pattern stays, for that is where its syntax is.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from rewarders.patterns import compiled, compiled_together
from rewarders.prose.folding import fold
from rewarders.prose.lookalikes import as_latin

Patterns = tuple[str, ...]
_FOLDED = re.compile(r"[^\x00-\x7f]|`")


@lru_cache(maxsize=64)
def folded_patterns(patterns: Patterns) -> Patterns:
    """For a folded text, in the order given. Raises ValueError where they are too large together."""
    return compiled_together(tuple(_spelled(pattern, fold) for pattern in patterns))


@lru_cache(maxsize=64)
def latin_patterns(patterns: Patterns) -> Patterns:
    """For a folded text in Latin letters, in the order given. Raises ValueError where they are too large together.

    A pattern of another script whose letters are all look-alikes, as in `сор`, would become the English word `cop`
    there; it keeps its own.
    """
    return compiled_together(tuple(_in_latin(pattern) for pattern in patterns))


def _in_latin(pattern: str) -> str:
    spelled = _spelled(pattern, lambda letter: as_latin(fold(letter)))
    return spelled if pattern.isascii() or not spelled.isascii() else _spelled(pattern, fold)


def _spelled(pattern: str, spell: Callable[[str], str]) -> str:
    """The pattern without regard to case, its own letters spelled in another way where that leaves it a pattern."""
    changed = _FOLDED.sub(lambda character: re.escape(spell(character[0])) or character[0], pattern)
    try:
        compiled(f"(?i){changed}")
    except ValueError:  # a range such as [×-ÿ] may turn round
        return f"(?i){pattern}"
    return f"(?i){changed}"
