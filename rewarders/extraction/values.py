"""Values in a sentence: runs of numbers and signs such as `5 * 6 = 30`, each with the unit right behind it."""

import re
from dataclasses import dataclass

from rewarders.extraction.languages import FUNCTION_WORDS, MEASURES, NUMBER_WORDS, SCALES, SHORT_UNITS

_TOKEN = re.compile(
    r"(?P<number>\d{1,2}:\d\d(?::\d\d)?(?:\s?[ap]\.?m\b\.?)?|\d+(?:[,.:'’]\d+|[ \u00a0\u202f\u2009]\d{3}(?!\d))*)"
    r"|(?P<command>\\[A-Za-z]+|\\[%$&#{}!: |])"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<space>\s+)"
    r"|(?P<sign>[-+−–—*/×·÷^=<>≤≥≠≈()\[\]{}%°|!_√∞±²³¹⁰€£¥₹$½⅓¼¾])"
    r"|(?P<separator>[,;])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_FUNCTIONS = frozenset({"sqrt", "sin", "cos", "tan", "log", "ln", "exp", "pi"})
_LONE_WORDS = frozenset("aAIyYeéèoOuàó")
"""Single letters that are words, at the ends of a run."""

_OPENING, _CLOSING = "([{", ")]}"
_STARTS_NOTHING = frozenset("=)]},;*—–")
_ENDS_NOTHING = frozenset("=+-−–—*/×·÷^<>([{,;|_")
_UNIT = re.compile(r" ?(?P<word>[A-Za-z]{1,24}(?:\^?[23]|[²³])?(?:/[A-Za-z]{1,8}[²³]?)?)(?![^\W\d_])")
_OTHER_SCRIPT = re.compile(rf" ?(?:(?!千[克米瓦])(?:{SCALES})[^\W_]{{0,8}}|(?:{MEASURES}))")
_AND_SOME = re.compile(
    r"\s{1,2}(?:(?:or|and)\s(?:a\s|one\s)?(?:more|fewer|less|higher|above|below|half|third|quarter|two thirds)"
    r"|et demie?|y medi[oa]|und ein halb"
    r"|(?:or|and) (?:so|some|something|thereabouts|over|under|beyond|up|greater|larger|smaller|bigger|change)"
    r"|at (?:the )?(?:very )?(?:most|least|best|worst)|if not (?:more|less)|give or take"
    rf"|(?:divided by|multiplied by|plus|minus|mod|modulo|raised to|to the power|or|times|over|less) "
    rf"(?:(?:the|a|an) )?(?:that|{'|'.join(NUMBER_WORDS)})"
    r"|(?:divided|multiplied) by|squared|cubed|factorial|halved|doubled|tripled|negated)\b",
    re.IGNORECASE,
)
"""What may follow a number, unit or not, and makes it another one."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token at `start` and `end` of the text."""

    kind: str
    text: str
    start: int
    end: int


def find_values(text: str) -> list[tuple[int, int]]:
    """Spans of all values, in order."""
    spans: list[tuple[int, int]] = []
    run: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        if spans and match.start() < spans[-1][1]:  # a unit that the last value has taken
            continue
        token = Token(match.lastgroup or "other", match[0], match.start(), match.end())
        ends_a_word = token.kind == "word" and text[token.start - 1 : token.start] in ("'", "’")
        if not ends_a_word and _belongs(token, run, depth):
            depth = max(0, depth + (token.text in _OPENING) - (token.text in _CLOSING))
            run.append(token)
            continue
        _close(run, text, spans)
        run, depth = ([token], 1) if token.text in _OPENING else ([], 0)
    _close(run, text, spans)
    return spans


def _belongs(token: Token, run: list[Token], depth: int) -> bool:
    if token.kind == "word":
        return _is_name(token.text)
    if token.kind == "separator":
        return depth > 0
    if token.text in _OPENING and len(run) > 1 and run[-1].kind == "space":
        return run[-2].kind != "number"
    return token.kind != "other"


def _is_name(word: str) -> bool:
    return (len(word) == 1 and (word.isascii() or "α" <= word <= "ω")) or word in _FUNCTIONS


def _close(run: list[Token], text: str, spans: list[tuple[int, int]]) -> None:
    run = _trimmed(run)
    if any(token.kind == "number" or token.text in "½⅓¼¾∞" for token in run):
        start, end = run[0].start, run[-1].end
        spans.append((start, _with_unit(text, end)))


def _trimmed(run: list[Token]) -> list[Token]:
    """Without signs that belong to no value: equality before it, an operator behind it, half of a bracket."""
    first, last = 0, len(run)
    excess = sum(token.text in _OPENING for token in run) - sum(token.text in _CLOSING for token in run)
    while first < last:
        head, tail = run[first], run[last - 1]
        if head.kind == "space" or head.text in _STARTS_NOTHING or _is_lone_word(run, first, last):
            excess += head.text in _CLOSING
            first += 1
        elif tail.kind == "space" or tail.text in _ENDS_NOTHING or (tail.text in _LONE_WORDS and last - first > 1):
            excess -= tail.text in _OPENING
            last -= 1
        elif excess > 0 and head.text in _OPENING:
            first, excess = first + 1, excess - 1
        elif excess < 0 and tail.text in _CLOSING:
            last, excess = last - 1, excess + 1
        else:
            break
    return run[first:last]


def _is_lone_word(run: list[Token], first: int, last: int) -> bool:
    """Whether the run starts with a letter that only stands before a number: `il y a 5`, `a 5`."""
    if run[first].text not in _LONE_WORDS or last - first < 3 or run[first + 1].kind != "space":
        return False
    return run[first + 2].kind in ("number", "word") or run[first + 2].text in "$€£¥₹"


def _with_unit(text: str, end: int) -> int:
    if behind := _AND_SOME.match(text, end) or _OTHER_SCRIPT.match(text, end):
        return behind.end()
    unit = _UNIT.match(text, end)
    if unit is None:
        return end
    word, touches = unit["word"].lower().rstrip("23²³^"), text[end] != " "
    keeps = touches or (word in SHORT_UNITS if len(word) < 4 else word not in FUNCTION_WORDS)
    behind = _AND_SOME.match(text, unit.end()) if keeps else None
    return behind.end() if behind else unit.end() if keeps else end
