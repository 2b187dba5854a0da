"""`layout.repetition`: the completion does not repeat itself, and does not end in a loop.

Three measures, as each misses what the others catch: a unit that comes again and again at the very end, the share of
word sequences that came before, and how far the whole text can be compressed. Demystifying Long CoT (arXiv:2502.03373)
penalises repeated n-grams for the same purpose.
"""

import re
import zlib
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.prose.words import words
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_LONGEST_UNIT = 4096
"""Characters. A longer unit shows in the other two measures."""
_PROBE = 16
_LINES_BEHIND = 3
_RULE_CHARS = 400
_SIGNS = r"\-=_*~#+|:.·•…\u2010-\u2015\u2500-\u257f"
"""What rules and tables are drawn with."""
_NOT_DRAWN = re.compile(rf"[^\s{_SIGNS}]")
_DRAWN = re.compile(rf"([{_SIGNS}])\1{{3,}}")
_KEY = re.compile(r'"[\w -]{1,40}"[ \t]*:')
"""Of JSON. Records have the same keys, which are in their word sequences all the same."""
_LONGEST_LOOKED_AT = 400_000
"""Characters whose word sequences are counted: half from the start, half from the end."""


class RepetitionReason(StrEnum):
    """Why a verdict of `layout.repetition` is what it is. `ok` scores 1, every other reason 0."""

    OK = "ok"
    LOOP_AT_END = "loop_at_end"
    """The text, or what stands before its last three lines or fewer, ends with `loops` or more of the same unit."""
    REPEATED_SEQUENCES = "repeated_sequences"
    """More than `max_repeated` of its sequences of `sequence_words` words came before."""
    COMPRESSIBLE = "compressible"
    """It compresses to less than `min_compressed` of its size."""


class RepetitionParams(BaseModel):
    """Settings of `layout.repetition`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loops: Annotated[int, Field(ge=2, le=100)] = 4
    loop_chars: Annotated[int, Field(ge=_PROBE, le=4096)] = 80
    """What is shorter than this in all is no loop. A unit of dashes, bars and the like is one from 400 characters
    on: rules and tables are drawn with it."""
    sequence_words: Annotated[int, Field(ge=1, le=40)] = 6
    max_repeated: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Share of the word sequences that came before. Worked mathematics stays below 0.2 as a rule."""
    min_compressed: Annotated[float, Field(ge=0, le=1)] = 0.12
    """Compressed size over size, by zlib and without the keys of JSON. Prose is near 0.45, code near 0.25."""
    min_chars: Annotated[int, Field(ge=0)] = 150
    """Shorter texts are looked at for loops alone."""


@rewarder("layout.repetition", version="1.1", params=RepetitionParams)
def repetition(completion: Completion, reference: None, params: RepetitionParams) -> Verdict:
    """0 if the completion ends in a loop, or repeats its own word sequences, or is mostly redundant; else 1."""
    text = completion.text.rstrip()
    for end in _ends(text):
        if unit := _loop_unit(text[:end], params):
            last: list[JsonValue] = [end - unit, end]
            return Verdict(score=0.0, reason=RepetitionReason.LOOP_AT_END, evidence={"unit_chars": unit, "span": last})
    if len(text) < params.min_chars:
        return Verdict(score=1.0, reason=RepetitionReason.OK, evidence={"chars": len(text)})
    repeated, compressed = _repeated_share(text, params.sequence_words), _compressed_share(text)
    reason = RepetitionReason.OK
    if repeated > params.max_repeated:
        reason = RepetitionReason.REPEATED_SEQUENCES
    elif compressed < params.min_compressed:
        reason = RepetitionReason.COMPRESSIBLE
    evidence = {"chars": len(text), "repeated": round(repeated, 4), "compressed": round(compressed, 4)}
    return Verdict(score=float(reason is RepetitionReason.OK), reason=reason, evidence=dict(evidence))


def _ends(text: str) -> Iterator[int]:
    """The end of the text, and of the lines before the last few: a loop may be followed by a final answer."""
    end = len(text)
    for _ in range(_LINES_BEHIND + 1):
        yield end
        end = len(text[: max(0, text.rfind("\n", 0, end))].rstrip())
        if not end:
            return


def _loop_unit(text: str, params: RepetitionParams) -> int:
    """Length of the unit that the text ends with `loops` times or more; 0 without one.

    Candidates are the distances at which the last few characters stood before, so what this costs is bounded by the
    longest unit and not by the text.
    """
    if len(text) < params.loop_chars:
        return 0
    probe = text[-_PROBE:]
    lowest = len(text) - _LONGEST_UNIT - _PROBE
    at = text.rfind(probe, max(0, lowest), len(text) - 1)
    while at >= 0:
        unit = len(text) - _PROBE - at
        least = params.loop_chars if _NOT_DRAWN.search(text, len(text) - unit) else max(params.loop_chars, _RULE_CHARS)
        times = max(params.loops, -(-least // unit))
        if len(text) >= unit * times and text.endswith(text[-unit:] * times):
            return unit
        at = text.rfind(probe, max(0, lowest), at + _PROBE - 1)
    return 0


def _repeated_share(text: str, length: int) -> float:
    """The share of the word sequences that came before in the text."""
    half = _LONGEST_LOOKED_AT // 2
    looked_at = text if len(text) <= _LONGEST_LOOKED_AT else f"{text[:half]} {text[-half:]}"
    spelled = words(looked_at.casefold())
    sequences = len(spelled) - length + 1
    if sequences < 1:
        return 0.0
    return 1.0 - len(set(zip(*(islice(spelled, i, None) for i in range(length)), strict=False))) / sequences


def _compressed_share(text: str) -> float:
    data = _KEY.sub(":", _DRAWN.sub(_shortened, text)).encode(errors="surrogatepass")
    return len(zlib.compress(data, 1)) / len(data)


def _shortened(drawn: re.Match[str]) -> str:
    """A rule as three of its signs; what is longer than a rule stays."""
    return drawn[1] * 3 if len(drawn[0]) < _RULE_CHARS else drawn[0]
