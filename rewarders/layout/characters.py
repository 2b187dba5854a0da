"""`layout.characters`: no characters that a reader does not see, or that show text in another order than it is in."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.prose.invisible import INVISIBLE
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_SUSPECT = re.compile(rf"[{INVISIBLE}\x0b\x0c\x1c-\x1f\x85\u2028\u2029\ufffc-\uffff\ue000-\uf8ff\U000f0000-\U0010ffff]")
"""What is in the table, line breaks that are none of the usual two, placeholders, and what has no agreed meaning."""
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FLAG = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
"""The emoji spelled with tags that Unicode recommends: the flags of England, Scotland and Wales. Tags behind any other
letter could spell a text that nobody sees."""
_JOINERS = "\u200c\u200d"
_PRESENTATION = "\ufe0e\ufe0f"
_OTHER_BASES = frozenset("0123456789#*\u203c\u2049\u2139\u2194\u25fb\u25fc\u25fd\u25fe\u2934\u2935\u3030\u303d")
"""What stands before a selector in Unicode's emoji-variation-sequences.txt and is no symbol by its category."""
_HAN_VARIANT = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af][\ufe00-\ufe02\U000e0100-\U000e0103]")
"""An ideograph in one of its first few forms. There are 240, of which hardly any letter has more than four: letting all
of them pass would let a byte pass behind each letter."""
_JOINED_SCRIPTS = re.compile("[\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc]")
"""Scripts in which joiners and non-joiners are spelling: Arabic and its kin, those of India, Tibetan, Khmer, more."""


class CharactersReason(StrEnum):
    """Why a verdict of `layout.characters` is what it is. `ok` scores 1, every other reason 0."""

    OK = "ok"
    INVISIBLE = "invisible"
    """A character that shows nothing: zero-width, a filler, a tag, a control, a variation selector out of place."""
    BIDIRECTIONAL = "bidirectional"
    """A character that changes the direction of the text around it."""
    PRIVATE_USE = "private_use"
    """A character whose meaning is nobody's agreement, or none at all."""


class CharactersParams(BaseModel):
    """Settings of `layout.characters`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed: Annotated[tuple[Annotated[str, Field(pattern=r"^U\+[0-9A-F]{4,6}$")], ...], Field(max_length=64)] = ()
    """Characters to let pass, as in `U+200F` for Hebrew. Joiners within emoji and within scripts that spell with them
    pass anyway, and so do the two selectors that choose between a character's text and its emoji, and those of the
    first forms of an ideograph."""


@rewarder("layout.characters", version="1.1", params=CharactersParams)
def characters(completion: Completion, reference: None, params: CharactersParams) -> Verdict:
    """1 if every character of the completion can be seen and stands where it is seen, else 0."""
    text = completion.text
    allowed = {chr(int(code[2:], 16)) for code in params.allowed}
    for found in _SUSPECT.finditer(text):
        character, at = found[0], found.start()
        if character in allowed or _is_spelling(text, at):
            continue
        evidence: dict[str, JsonValue] = {"character": f"U+{ord(character):04X}", "span": [at, at + 1]}
        return Verdict(score=0.0, reason=_reason(character), evidence=evidence)
    return Verdict(score=1.0, reason=CharactersReason.OK, evidence={"chars": len(text)})


def _is_spelling(text: str, at: int) -> bool:
    """Whether the character at that place belongs to how a word or an emoji is written."""
    character, before, behind = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if character in _JOINERS and before and behind:
        return _joins(before) and _joins(behind)
    if "\U000e0020" <= character <= "\U000e007f":
        flag = _FLAG.match(text, max(0, text.rfind("\U0001f3f4", max(0, at - 7), at)))
        return flag is not None and at < flag.end()
    if _HAN_VARIANT.match(text, max(0, at - 1)):
        return True
    return character in _PRESENTATION and bool(before) and (_is_pictogram(before) or before in _OTHER_BASES)


def _joins(neighbour: str) -> bool:
    return bool(_JOINED_SCRIPTS.match(neighbour)) or _is_pictogram(neighbour) or neighbour == "\ufe0f"


def _is_pictogram(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sk") and ord(character) > 0xA8


def _reason(character: str) -> CharactersReason:
    if character in _BIDIRECTIONAL:
        return CharactersReason.BIDIRECTIONAL
    if unicodedata.category(character) in ("Co", "Cn", "Cs"):
        return CharactersReason.PRIVATE_USE
    return CharactersReason.INVISIBLE
