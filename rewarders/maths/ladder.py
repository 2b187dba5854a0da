"""The ladder: exact text, then plain numbers, then meaning. It stops at the first rung that is sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rewarders.maths.compare import same
from rewarders.maths.normalise import MAX_ANSWER_CHARS, canonical, normalise
from rewarders.maths.numbers import read_number
from rewarders.maths.parse import parse
from rewarders.maths.spread import spread
from rewarders.maths.tree import Group, MathsError, Node, TooCostly, Unparsable
from rewarders.maths.units import DEGREE, compatible, split_unit


class Reason(StrEnum):
    """Why a verdict of `maths.equal` is what it is. `equal` scores 1, every other reason 0."""

    EQUAL = "equal"
    """The answer is the reference, or one of its alternatives."""
    WRONG = "wrong"
    """The answer was understood and is something else, or could not be proved to be the same."""
    AMBIGUOUS = "ambiguous"
    """Several answers where the reference is one: `4 or 5`, or two different boxes."""
    UNPARSABLE = "unparsable"
    """The answer is not the text of the reference and not in the language of the parser."""
    TOO_COSTLY = "too_costly"
    """The answer is too long, too deep, or stands for too large a number to be looked at."""
    NO_ANSWER = "no_answer"
    """There is no final answer in the text."""


class Rung(StrEnum):
    """What settled it."""

    TEXT = "text"
    NUMBER = "number"
    MEANING = "meaning"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the ladder says about one answer and one reference."""

    reason: Reason
    rung: Rung


def climb(expected: str, answer: str) -> Finding:
    """Compare an answer with one reference, both as they were written."""
    if len(answer) > MAX_ANSWER_CHARS:
        return Finding(Reason.TOO_COSTLY, Rung.TEXT)
    wanted, given = normalise(expected), normalise(answer)
    if not given:
        return Finding(Reason.NO_ANSWER, Rung.TEXT)
    if wanted and canonical(wanted) == canonical(given):
        return Finding(Reason.EQUAL, Rung.TEXT)
    (wanted_value, wanted_unit), (given_value, given_unit) = split_unit(wanted), split_unit(given)
    units_agree = compatible(wanted_unit, given_unit)
    target, number = read_number(wanted_value), read_number(given_value)
    if target is not None and number is not None:
        return Finding(Reason.EQUAL if units_agree and target == number else Reason.WRONG, Rung.NUMBER)
    if not units_agree:
        return Finding(Reason.WRONG, Rung.MEANING)
    reason = _by_meaning(
        wanted if wanted_unit == DEGREE else wanted_value,
        given if given_unit == DEGREE else given_value,
    )
    return Finding(reason, Rung.MEANING)


def climb_each(expected: Sequence[str], answer: str) -> Finding:
    """Compare an answer with all alternatives of a reference; a refusal to look at it outweighs `wrong`."""
    findings = []
    for alternative in expected:
        finding = climb(alternative, answer)
        if finding.reason is Reason.EQUAL:
            return finding
        findings.append(finding)
    return next((finding for finding in findings if finding.reason is not Reason.WRONG), findings[0])


def _by_meaning(wanted: str, given: str) -> Reason:
    try:
        answer = parse(given)
    except TooCostly:
        return Reason.TOO_COSTLY
    except Unparsable:
        return Reason.UNPARSABLE
    try:
        expected = parse(wanted)
    except MathsError:  # such a reference is compared as text alone
        return Reason.AMBIGUOUS if _is_several(answer) else Reason.WRONG
    try:
        if same(expected, answer):
            return Reason.EQUAL
    except TooCostly:
        return Reason.TOO_COSTLY
    hedged = _is_several(answer) and not isinstance(spread(expected), Group)
    return Reason.AMBIGUOUS if hedged else Reason.WRONG


def _is_several(node: Node) -> bool:
    spelled_out = spread(node)
    return isinstance(spelled_out, Group) and spelled_out.kind == "list"
