"""Regular expressions of people we do not know, matched by RE2: linear in the text, whatever the pattern.

RE2 has no look-around and no back-references, and its classes such as `\\w` and `\\b` are ASCII; `\\pL` is any letter.
Its syntax is at github.com/google/re2/wiki/Syntax.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_KEPT = 512
_SURROGATE = re.compile("[\ud800-\udfff]")


def _compiles(pattern: str) -> str:
    compiled(pattern)
    return pattern


Pattern = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_compiles)]
"""A field of params that holds one pattern; a rubric with a wrong one does not load."""


def compiled_together(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns, which RE2 can look for at once. Raises ValueError if they are too large for that."""
    if patterns:
        _one_of(patterns)
    return patterns


Patterns = Annotated[tuple[Pattern, ...], AfterValidator(compiled_together)]
"""A field of params that holds several, to be looked for at once."""


@lru_cache(maxsize=_KEPT)
def compiled(pattern: str) -> Any:
    """The pattern, compiled. Raises ValueError saying what RE2 objects to."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"{pattern!r:.80} is no pattern of RE2: {said}") from error


def find(pattern: str, text: str) -> tuple[int, int] | None:
    """Where the pattern first matches."""
    match = compiled(pattern).search(_encodable(text))
    return match.span() if match else None


def find_all(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    """Where the pattern matches, one match after the other. What matches nothing is left out."""
    for match in compiled(pattern).finditer(_encodable(text)):
        if match.start() < match.end():
            yield match.span()


def matches_whole(pattern: str, text: str) -> bool:
    """Whether the pattern matches the text from its start to its end."""
    return compiled(pattern).fullmatch(_encodable(text)) is not None


def hits(patterns: tuple[str, ...], text: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """Which of many patterns match, and where each first does. The text is read once to learn which."""
    indices = _one_of(patterns).Match(_encodable(text)) if patterns else None
    for index in sorted(indices or ()):
        span = find(patterns[index], text)
        if span is not None:
            yield index, span


def _encodable(text: str) -> str:
    """A lone surrogate has no UTF-8; the character that stands for what is no character takes its place."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


@lru_cache(maxsize=_KEPT)
def _one_of(patterns: tuple[str, ...]) -> Any:
    """Compiling also tries whether matching has the memory it needs, so that it cannot fail later on."""
    import re2

    options = re2.Options()
    options.log_errors = False
    together = re2.Set.SearchSet(options)
    for pattern in patterns:
        together.Add(pattern)
    try:
        together.Compile()
    except re2.error as error:
        said = f"its {len(patterns)} patterns are too large for RE2 together; shorten their counted repetitions"
        raise ValueError(said) from error
    return together
