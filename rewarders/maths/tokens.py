r"""From a normalised answer to tokens: numbers, `\commands`, runs of letters and single signs."""

import re
from enum import Enum, auto
from typing import NamedTuple

from rewarders.maths.tree import TooCostly, Unparsable

MAX_CHARS = 50_000
MAX_TOKENS = 10_000
MAX_NUMBER_CHARS = 4_000


class Kind(Enum):
    """What a token is."""

    NUMBER = auto()
    COMMAND = auto()
    LETTERS = auto()
    SIGN = auto()
    END = auto()


class Token(NamedTuple):
    """A token; a command without its backslash."""

    kind: Kind
    text: str


_KINDS = dict(Kind.__members__)
END = Token(Kind.END, "")

_TOKEN = re.compile(
    r"(?P<NUMBER>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+(?![\d.]))?)"
    r"|\\(?P<COMMAND>[A-Za-z]+|[{}|])"
    r"|(?P<LETTERS>[A-Za-z]+)"
    r"|(?P<SIGN><=|>=|[-+*/^_=<>!%()\[\]{},;|:'&])"
    r"|(?P<SPACE>\s+)"
)
_OPENS, _CLOSES = "([", ")]"
_THOUSANDS = re.compile(r"(?<![\d,.])[1-9]\d{0,2}(?:,\d{3})+(?!\d|,\d)")


def tokenise(text: str) -> list[Token]:
    """Split a normalised answer into tokens, closed by one of kind END.

    Raises:
        TooCostly: if it is longer than any answer.
        Unparsable: at the first character that is in no token.
    """
    if len(text) > MAX_CHARS:
        raise TooCostly(f"{len(text)} characters, over {MAX_CHARS}")
    text = _without_thousands(text) if "," in text else text
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise Unparsable(f"character {position} is in no token")
        position = match.end()
        if match.lastgroup != "SPACE":
            tokens.append(Token(_KINDS[match.lastgroup], match[match.lastgroup]))
        if len(tokens) > MAX_TOKENS or position - match.start() > MAX_NUMBER_CHARS:
            raise TooCostly(f"over {MAX_TOKENS} tokens, or one over {MAX_NUMBER_CHARS} characters")
    return [*tokens, END]


def _without_thousands(text: str) -> str:
    """The same without the commas inside numbers.

    In brackets `1,234` is a pair, unless other commas there have a space behind them, or a group starts with a zero,
    with which no number of a pair does.
    """
    spaced, pieces, done, depth = ", " in text, [], 0, 0
    for number in _THOUSANDS.finditer(text):
        between = text[done : number.start()]
        depth += sum(between.count(sign) for sign in _OPENS) + between.count("\\{")
        depth -= sum(between.count(sign) for sign in _CLOSES) + between.count("\\}")
        is_one = depth <= 0 or spaced or ",0" in number[0]
        pieces += [between, number[0].replace(",", "") if is_one else number[0]]
        done = number.end()
    return "".join((*pieces, text[done:]))
