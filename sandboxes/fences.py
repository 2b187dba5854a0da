"""Where in a text the program is: the last fenced block of its language.

Fences are CommonMark's: three or more backticks or tildes, closed by a line of at least as many of the same character
that is indented by at most three columns more; what is never closed runs to the end. As blocks may lie in lists, an
opening fence may be indented by more than three spaces. One pass, linear in the text.
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

_FENCE = re.compile(r"^([ \t]{0,40})(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)

_MARKS = ("```", "~~~")


class Where(StrEnum):
    """How the program was told from the rest."""

    TAGGED = "tagged"
    """The last block that names the language."""
    UNTAGGED = "untagged"
    """No block names it, and this is the last that names no language."""
    BARE = "bare"
    """There is no mark of a fence in the text, which is the program as it stands."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    tag: str
    """First word after the opening fence, in lower case; empty if there is none."""
    text: str
    closed: bool
    """Whether a closing fence ends it, and not the end of the text."""
    start: int
    end: int
    """Where it stands in the text, fences included."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """A program found in a text."""

    code: str
    where: Where
    complete: bool
    """Whether the text goes on after the program: where it was cut off, a program that ends with it was cut too."""


def extract(text: str, tags: Collection[str], *, bare: bool = True) -> Extracted | None:
    """Find the program in a text; None if there is none.

    Args:
        text: what was written, thinking already taken out.
        tags: names that a block may call the language by, in lower case: see `tags_of`.
        bare: whether a text without the mark of any fence is taken as the program.
    """
    found: Extracted | None = None
    for block in blocks(text):
        if block.tag in tags:
            found = Extracted(block.text, Where.TAGGED, block.closed)
        elif not block.tag and (found is None or found.where is Where.UNTAGGED):
            found = Extracted(block.text, Where.UNTAGGED, block.closed)
    if bare and not any(mark in text for mark in _MARKS):
        found = Extracted(text, Where.BARE, False)
    return found if found and found.code.strip() else None


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a text, in order."""
    opening: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        if opening is None:
            opening = line if _opens(line) else None
        elif _closes(line, opening):
            yield _block(text, opening, line)
            opening = None
    if opening is not None:
        yield _block(text, opening, None)


@cache
def tags_of(language: str) -> frozenset[str]:
    """What a fence may call a language, as its policy says; its own name where no policy is shipped.

    Empty for a policy that is not for programs which nobody trusts.
    """
    return _policy_tags().get(language, frozenset([language]))


@cache
def _policy_tags() -> dict[str, frozenset[str]]:
    files = [entry for entry in (resources.files("sandboxes") / "policies").iterdir() if entry.name.endswith(".toml")]
    tables = {file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8")) for file in files}
    return {name: frozenset(table["fences"]) for name, table in tables.items() if "fences" in table}


def _opens(line: re.Match[str]) -> bool:
    """A line of backticks with another backtick after them is a code span."""
    return line[2][0] == "~" or "`" not in line[3]


def _closes(line: re.Match[str], opening: re.Match[str]) -> bool:
    same = line[2][0] == opening[2][0] and len(line[2]) >= len(opening[2]) and not line[3].strip()
    return same and _columns(line) <= _columns(opening) + 3


def _columns(line: re.Match[str]) -> int:
    return len(line[1].expandtabs(4))


def _block(text: str, opening: re.Match[str], closing: re.Match[str] | None) -> Block:
    inside = text[opening.end() + 1 : closing.start() if closing else len(text)].replace("\r\n", "\n")
    if opening[1]:
        inside = re.sub(rf"^[ \t]{{1,{len(opening[1])}}}", "", inside, flags=re.MULTILINE)
    end = closing.end() if closing else len(text)
    return Block(_tag(opening[3]), inside, closing is not None, opening.start(), end)


def _tag(info: str) -> str:
    """The language of an info string: `python`, `{.python}` and `Python title="a"` are one."""
    words = info.replace("{", " ").replace("}", " ").split(None, 1)
    return words[0].lstrip(".").lower() if words else ""
