"""Where a text quotes: what stands in quotation marks of any kind, told from apostrophes, inches and feet.

Marks pair within a paragraph. A single mark between two letters is an apostrophe, and so is one that opens `'90s` or
`'tis`. Behind a digit (`5" pipe`), or behind an s (`the dogs' bowls`), a mark closes a quotation only if no later one
does. Every scan is linear: nothing in a quotation can begin another, so that no start scans further than to the next.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

_VARIANTS = str.maketrans("＂‟〝〞❝❞‛❛❜｢｣", '"““”“”‘‘’「」')
_ANY = re.compile("[\"“”„«»‹›「」『』'‘’‚`]")
_NEVER_ALONE = frozenset('"“”„«»‹›「」『』')
_INCH = re.compile(r'(?<=\d)["”](?!\w)')
_BROKEN = r"\n(?![ \t\r]*\n)"
"""A line break in a paragraph."""
_STRAIGHT = re.compile(
    rf'(?<![\w"])"(?=[^\s"])(?:[^"\n]++|{_BROKEN}|(?<=\d)"(?!\w)(?=[^"\n]*[^\s"\d]"(?!\w)))++(?<=\S)"(?!\w)'
)
_CURLED = re.compile(r"“(?:[^“”]++|(?<=\d)”(?!\w)(?=[^“”\n]*[^\s“”\d]”))++”")
_SINGLE = re.compile(
    r"(?<![\w'‘’‚])['‘’‚](?=[^\s'‘’‚])(?!\d\ds?(?!\w)|(?i:tis|twas|til|em|cause|[ntsd])(?!\w))"
    rf"(?:[^'‘’‚\n]++|{_BROKEN}|(?<=\w)['’](?=\w)"
    r"|(?<=[s\d])['’](?=[ ][a-z])(?=[^'‘’‚\n]*[^\s'‘’‚]['’](?!\w)))++(?<=\S)['‘’](?!\w)"
)
_DOUBLED = re.compile(r"(?:``|'')(?=[^\s'`])(?:[^'`\n]++|(?<=\w)'(?=\w))++''(?!')")
_KINDS = {
    '"': (_STRAIGHT,),
    "“": (_CURLED,),
    "„": (re.compile("„[^„“”]+[“”]"),),
    "”": (re.compile(r"(?<!\w)”(?=\S)[^“”]+(?<=\S)”"),),
    "«": (re.compile("«[^«»]+»"),),
    "»": (re.compile("»[^«»]+«"),),
    "‹": (re.compile("‹[^‹›]+›"),),
    "›": (re.compile("›[^‹›]+‹"),),
    "「": (re.compile("「[^「」]+」"),),
    "『": (re.compile("『[^『』]+』"),),
    "'": (_DOUBLED, _SINGLE),
    "`": (_DOUBLED,),
    "‘": (_SINGLE,),
    "’": (_SINGLE,),
    "‚": (_SINGLE,),
}


class Quoted(NamedTuple):
    """A quotation with its marks, from one offset up to another."""

    start: int
    end: int
    inside_start: int
    """Behind the mark that opens it."""
    inside_end: int


class Quotations(NamedTuple):
    """What a text quotes."""

    found: list[Quoted]
    unpaired: int | None
    """Where the first mark is that opens none and closes none; single marks are apostrophes, and no matter."""


def quotations(text: str) -> Quotations:
    """The quotations of a text, in order; block quotations are not among them."""
    text = text if text.isascii() else text.translate(_VARIANTS)
    found: list[Quoted] = []
    unpaired, at = None, 0
    while mark := _ANY.search(text, at):
        quoted = _at(text, mark)
        at = mark.end() if quoted is None else quoted.end
        if quoted:
            found.append(quoted)
        elif unpaired is None and mark[0] in _NEVER_ALONE and not _INCH.match(text, mark.start()):
            unpaired = mark.start()
    return Quotations(found, unpaired)


def rewritten(text: str, change: Callable[[str], str]) -> str:
    """The text with each quotation, its marks included, replaced by what `change` makes of it."""
    pieces, at = [], 0
    for quoted in quotations(text).found:
        pieces += [text[at : quoted.start], change(text[quoted.start : quoted.end])]
        at = quoted.end
    return "".join([*pieces, text[at:]]) if pieces else text


def _at(text: str, mark: re.Match[str]) -> Quoted | None:
    """The quotation that a mark opens."""
    for kind in _KINDS.get(mark[0], ()):
        if match := kind.match(text, mark.start()):
            width = 2 if kind is _DOUBLED else 1
            return Quoted(match.start(), match.end(), match.start() + width, match.end() - width)
    return None
