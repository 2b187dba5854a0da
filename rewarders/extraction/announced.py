"""What an announcement says, and whether what follows it takes it back or offers another answer beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rewarders.extraction.languages import NUMBER_WORDS
from rewarders.extraction.prose import closing_statement

_CHARS = 65_536
"""Corrections are looked for only this far behind an answer."""

_NUMBER_WORD = rf"(?:{'|'.join(NUMBER_WORDS)})\b"
_DRESSING = r"[\s$*_\\(\[{\"']{0,8}"
_VALUE = re.compile(
    rf"{_DRESSING}(?:[-+−]?\.?\d|[-+.$\\(\[{{√π]|(?!one\s){_NUMBER_WORD}"
    r"|(?-i:[B-HJ])(?![\w'])|(?-i:[AI])\W{0,6}$)",
    re.IGNORECASE,
)
_SAYS_MORE = re.compile(
    rf"\d|[$\\]|\b(?:{_NUMBER_WORD}|or|not|no|but|maybe|perhaps|wrong|unless)\b|n['’]t", re.IGNORECASE
)
_EXPLAINS = re.compile(r"\W{0,8}(?:$|[,;]?\s(?:as|which|so|when|where|meaning)\b)")
_NEARLY = re.compile(r"[\s$(]{0,4}(?:≈|\\approx|\\sim)")
_LEADS_TO_VALUE = re.compile(
    rf"(?:^|\b(?:is|are|be|equals|to|then|thus|therefore|indeed|just|still)|[=:]){_DRESSING}$", re.IGNORECASE
)
_START = r"(?:^|[.!?。！？;,\n(—–-])[ \t$*_\"')}\]\\]{0,6}"
_CORRECTS = re.compile(
    rf"{_START}(?:(?:wait|hold on|no)\b(?=\s{{0,3}}[,.!:;…—–-]|\s(?:no|wait|that|it|this|i|actually|sorry|let)\b)"
    r"|(?:(?:but|hmm|so|and|oh|well|ah|no)[\s,.…]{1,4})?(?:actually|sorry|oops|whoops|correction"
    r"|erratum|(?:just )?kidding|scratch that|strike that|ignore that|make that|never ?mind"
    r"|on second thoughts?|or rather|my mistake|my bad"
    r"|i (?:made|make) (?:a|an) (?:\w{1,12} )?(?:mistake|error)|i (?:was|am) (?:wrong|mistaken)|i mean|i meant"
    r"|(?:that|this|it)(?:'s| is| was) (?:wrong|incorrect|a mistake|not right|not correct)|let me correct)\b)",
    re.IGNORECASE,
)
_OFFERS = re.compile(
    r"[\s.,;:!?$*_\"')}\]\\]{0,12}(?:or|maybe|perhaps|possibly|alternatively|unless"
    r"|(?:and |but )?it (?:could|might|may)"
    r"|but (?:maybe|perhaps|possibly|could|might|may)"
    r"|(?:another|an alternative|a second|the other|one more) (?:[^\W\d_]{1,12} ){0,2}(?:answer|solution|possibility"
    r"|option|value|candidate|guess))\b[\s,:]{0,4}",
    re.IGNORECASE,
)
_FILLED = re.compile(
    r"(?P<filling>(?:(?:it|this|that|the|answer|maybe|perhaps|possibly|even|else|is|was|could|might|may|can|be|also"
    r"|just|rather|would|well)\b[\s,:]{1,4}){0,8})(?:[A-Za-z]\s?=\s?)?",
    re.IGNORECASE,
)
_DISMISSED = re.compile(
    r"[\s.,$*_\"')}\]\\]{0,12}(?:(?:which|that|this|it) )?"
    r"(?:(?:is|was)(?:n['’]t| not\b| (?:an? )?(?:wrong|incorrect|false)\b)"
    r"|cannot be\b|can['’]t be\b)",
    re.IGNORECASE,
)
_PUNCTUATION = " \t\r\n.,;:!?$*_\"'()[]{}\\"
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？।؟]|\n")


@dataclass(frozen=True, slots=True)
class Announced:
    """An answer that the text announces."""

    answers: tuple[str, ...]
    """One; or several where boxes stand side by side."""
    end: int
    """Where in the text it ends."""
    is_value: bool = True
    """Whether it is sure to be meant as one: "the answer is found by adding 2 and 3" says no value."""


def says_value(said: str, answer: str) -> bool:
    """Whether an announcement says this answer itself, not just something about it."""
    before, found, _ = said.rpartition(answer)
    return _VALUE.match(answer) is not None and (not found or _LEADS_TO_VALUE.search(before[-200:]) is not None)


def says_no_more(text: str) -> bool:
    """Whether no value and no doubt is told in this text."""
    return _SAYS_MORE.search(text) is None


def repeats(answer: str, earlier: Sequence[str]) -> bool:
    """Whether an answer is an earlier one again, with at most an explanation behind it that has no value."""
    said = answer.strip("*$ ")
    rests = [said[len(known) :] for known in earlier if said.startswith(known)]
    return any(says_no_more(rest) and "!" not in rest and _EXPLAINS.match(rest) for rest in rests)


def correction(behind: str) -> str | None:
    """What the text behind an answer says that it is instead, as in "Wait, actually it is 6"."""
    near = behind[:_CHARS]
    word = _CORRECTS.search(near)
    if word is None:
        return None
    rest = near[word.end() :]
    stated = closing_statement(rest)
    return stated if stated or says_no_more(rest) else rest.strip()


def alternative(behind: str) -> str | None:
    """What stands right behind an answer as another one, or as doubt of it: "or 6", "which is wrong"."""
    if dismissal := _DISMISSED.match(behind):
        return dismissal[0].strip()
    offer = _OFFERS.match(behind)
    filled = _FILLED.match(behind, offer.end()) if offer else None
    if offer is None or filled is None or not _VALUE.match(behind, filled.end()) or _NEARLY.match(behind, filled.end()):
        return None
    rest = behind[filled.end() : filled.end() + _CHARS]
    end = _SENTENCE_END.search(rest)
    said = rest[: end.start()] if end else rest
    told = offer[0].strip(_PUNCTUATION)
    if told.lower() == "or" and not filled["filling"]:
        return closing_statement(said) or said.strip(_PUNCTUATION)
    return f"{told} {filled[0]}{said}"
