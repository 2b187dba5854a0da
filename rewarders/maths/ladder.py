"""The ladder: exact text, choices, moments, plain numbers, meaning. It stops at the first rung that is sure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from functools import partial

from rewarders.maths.choices import read_choice, read_choice_text, same_choice
from rewarders.maths.compare import same
from rewarders.maths.decimals import is_print_of, is_within, margin
from rewarders.maths.forms import has_form
from rewarders.maths.moments import read_moment, same_moment
from rewarders.maths.normalise import MAX_ANSWER_CHARS, canonical, normalise
from rewarders.maths.numbers import read_number, with_decimal_point
from rewarders.maths.params import Params
from rewarders.maths.parse import parse
from rewarders.maths.printing import shown
from rewarders.maths.spread import spread
from rewarders.maths.tree import Group, MathsError, Node, Number, TooCostly, Unparsable
from rewarders.maths.units import DEGREE, compatible, split_letter_unit, split_unit
from rewarders.maths.vocabulary import PHRASES
from rewarders.maths.words import read_words


class Reason(StrEnum):
    """Why a verdict of `maths.equal` is what it is. `equal` scores 1, every other reason 0."""

    EQUAL = "equal"
    """The answer is the reference, or one of its alternatives."""
    WRONG = "wrong"
    """The answer was understood and is something else, or could not be proved to be the same."""
    AMBIGUOUS = "ambiguous"
    """Several answers where the reference is one: `4 or 5`, or two different boxes."""
    WRONG_FORM = "wrong_form"
    """The answer has the value of the reference, not the form that `params` asks for."""
    NO_UNIT = "no_unit"
    """The answer has the value of the reference and not its unit, which `params` asks for."""
    UNPARSABLE = "unparsable"
    """The answer is not the text of the reference and not in the language of the parser."""
    TOO_COSTLY = "too_costly"
    """The answer is too long, too deep, or stands for too large a number to be looked at."""
    COSTLY_REFERENCE = "costly_reference"
    """The reference stands for too large a number: nothing can be said about the answer. Served, this is a fault."""
    NO_ANSWER = "no_answer"
    """There is no final answer in the text."""


class Rung(StrEnum):
    """What settled it."""

    TEXT = "text"
    CHOICE = "choice"
    MOMENT = "moment"
    NUMBER = "number"
    MEANING = "meaning"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the ladder says about one answer and one reference."""

    reason: Reason
    rung: Rung
    parsed: str = ""
    """The answer as it was read, bounded; empty if it was compared as text."""
    expected: str = ""
    """The reference as it was read."""


_LETTER_ALONE = re.compile(r"[(\[]?[A-J][)\]]?[.]?")
_BEFORE_TEXT = re.compile(r"[(\[][A-J][)\]] ")
_LABEL = re.compile(r"(?:(?:m ?)?\\angle ?[A-Z]{1,3}|(?![ei] ?=)[A-Za-z](?:_\{?\w{1,6}\}?)?) ?= ?(?=[-+\d.])")
_MAX_FORMS = 4
_EXACT = Params()


def climb(expected: str, answer: str, params: Params = _EXACT) -> Finding:
    """Compare an answer with one reference, both as they were written."""
    if len(answer) > MAX_ANSWER_CHARS:
        return Finding(Reason.TOO_COSTLY, Rung.TEXT)
    wanted, given = _standard(expected), _standard(answer)
    if not given:
        return Finding(Reason.NO_ANSWER, Rung.TEXT)
    finding = _found(wanted, given, params)
    if finding.reason is not Reason.EQUAL:
        return finding
    if params.units == "required" and split_unit(wanted)[1] and not split_unit(given)[1]:
        return replace(finding, reason=Reason.NO_UNIT)
    return finding if has_form(given, params) else replace(finding, reason=Reason.WRONG_FORM)


def climb_each(expected: Sequence[str], answer: str, params: Params = _EXACT) -> Finding:
    """Compare an answer with all alternatives of a reference; a refusal to look at it outweighs `wrong`."""
    findings = []
    for alternative in expected:
        finding = climb(alternative, answer, params)
        if finding.reason is Reason.EQUAL:
            return finding
        findings.append(finding)
    return next((finding for finding in findings if finding.reason is not Reason.WRONG), findings[0])


def is_same_text(expected: str, answer: str) -> bool:
    """Whether both are the same text but for dressing, whatever it means."""
    wanted = _standard(expected)
    return bool(wanted) and len(answer) <= MAX_ANSWER_CHARS and canonical(wanted) == canonical(_standard(answer))


def _standard(text: str) -> str:
    normalised = normalise(text)
    return PHRASES.get(normalised.casefold(), normalised)


def _found(wanted: str, given: str, params: Params) -> Finding:
    if wanted and canonical(wanted) == canonical(given):
        return Finding(Reason.EQUAL, Rung.TEXT)
    for rung in _RUNGS:
        finding = rung(wanted, given, params)
        if finding is not None:
            return finding
    return Finding(Reason.WRONG, Rung.MEANING)


def _by_choice(wanted: str, given: str, params: Params) -> Finding | None:
    """Where the reference is a letter, with or without its text: either of them will do."""
    letter, chosen = read_choice(wanted), read_choice(given)
    if letter and (_LETTER_ALONE.fullmatch(wanted) or _BEFORE_TEXT.match(wanted)):
        if chosen:
            reason = Reason.EQUAL if same_choice(wanted, given) else Reason.WRONG
            return Finding(reason, Rung.CHOICE, chosen, letter)
        text = read_choice_text(wanted)
        return _found(text, given, params) if text else None
    text = read_choice_text(given) if _BEFORE_TEXT.match(given) else None
    return _found(wanted, text, params) if text else None


def _by_moment(wanted: str, given: str, params: Params) -> Finding | None:
    """Where the reference is a date or a time of day. A bare `8:30` may be a ratio, unless the answer says am or pm."""
    expected, moment = read_moment(wanted), read_moment(given)
    if expected is not None and expected.states_half and moment is None:
        return Finding(Reason.WRONG, Rung.MOMENT, given, wanted)
    if expected is None or moment is None:
        return None
    equal = same_moment(expected, moment)
    if expected.could_be_ratio and not (equal and moment.states_half):
        return None
    return Finding(Reason.EQUAL if equal else Reason.WRONG, Rung.MOMENT, given, wanted)


def _by_number(wanted: str, given: str, params: Params) -> Finding | None:
    (target, wanted_unit), (number, given_unit) = _number(wanted), _number(given)
    if target is not None and number is None:
        number, given_unit = _other_number(given)
    if number is not None and target is None:
        target, wanted_unit = _number_with_a_compound_unit(wanted)
    if target is None or number is None:
        return None
    equal = compatible(wanted_unit, given_unit) and _same_number(target, number, margin(wanted, target, params))
    return Finding(Reason.EQUAL if equal else Reason.WRONG, Rung.NUMBER, shown(Number(number)), shown(Number(target)))


def _number(text: str) -> tuple[Fraction | None, str]:
    in_words = read_words(text)
    if in_words is not None:
        return in_words, ""
    value, unit = split_unit(text)
    return read_number(value), unit


def _other_number(text: str) -> tuple[Fraction | None, str]:
    """Readings that only a plain number as reference makes likely: `5 m`, `99颗`, a decimal comma."""
    label = _LABEL.match(text)
    text = text[label.end() :] if label else text
    value, unit = split_letter_unit(text)
    value, unit = (value, unit) if unit or not label else split_unit(text)
    number = read_number(value) if unit or label else None
    return (number, unit) if number is not None else (read_number(with_decimal_point(text)), "")


def _number_with_a_compound_unit(text: str) -> tuple[Fraction | None, str]:
    """What a reference can be if the answer is a number: `9.8 m/s^2`, but not `5 m`, which may be a product."""
    value, unit = split_letter_unit(text)
    if unit and ("/" in unit or unit[-1].isdecimal()):
        return read_number(value), unit
    return read_number(with_decimal_point(text)), ""


def _same_number(target: Fraction, number: Fraction, allowed: Fraction) -> bool:
    if abs(target - number) <= allowed:
        return True
    return is_print_of(Number(number), Number(target)) or is_print_of(Number(target), Number(number))


def _by_meaning(wanted: str, given: str, params: Params) -> Finding | None:
    """What letters behind a value mean is tried both ways: `4\\sqrt3 m` is a product, or a length."""
    finding = _by_trees(wanted, given, params)
    if finding.reason not in (Reason.WRONG, Reason.UNPARSABLE):
        return finding
    bare, unit = split_letter_unit(given)
    without_unit = _by_trees(wanted, bare, params) if unit else finding
    return without_unit if without_unit.reason is Reason.EQUAL else finding


def _by_trees(wanted: str, given: str, params: Params) -> Finding:
    (wanted_value, wanted_unit), (given_value, given_unit) = split_unit(wanted), split_unit(given)
    if not compatible(wanted_unit, given_unit):
        return Finding(Reason.WRONG, Rung.MEANING)
    try:
        answer = _read(given if given_unit == DEGREE else given_value)
    except TooCostly:
        return Finding(Reason.TOO_COSTLY, Rung.MEANING)
    except Unparsable:
        return Finding(Reason.UNPARSABLE, Rung.MEANING)
    try:
        expected = _read(wanted if wanted_unit == DEGREE else wanted_value)
    except TooCostly:
        return Finding(Reason.COSTLY_REFERENCE, Rung.MEANING, shown(answer))
    except Unparsable:  # such a reference is compared as text alone
        return Finding(Reason.AMBIGUOUS if _is_several(answer) else Reason.WRONG, Rung.MEANING, shown(answer))
    return Finding(_compared(wanted, expected, answer, params), Rung.MEANING, shown(answer), shown(expected))


def _read(text: str) -> Node:
    """A tree; `1,000` is a number here too, and no list. Raises Unparsable, TooCostly."""
    number = read_number(text)
    return parse(text) if number is None else Number(number)


def _compared(wanted: str, expected: Node, answer: Node, params: Params) -> Reason:
    try:
        if any(test(expected, answer) for test in (same, partial(is_within, wanted, params=params), _is_each_time)):
            return Reason.EQUAL
    except TooCostly:
        return Reason.COSTLY_REFERENCE if _is_costly(expected) else Reason.TOO_COSTLY
    except MathsError:
        return Reason.WRONG
    hedged = _is_several(answer) and not isinstance(spread(expected), Group)
    return Reason.AMBIGUOUS if hedged else Reason.WRONG


def _is_each_time(expected: Node, answer: Node) -> bool:
    r"""Whether a list gives one value in several forms: `\frac12 or 0.5`."""
    forms = spread(answer)
    if not isinstance(forms, Group) or forms.kind != "list" or isinstance(spread(expected), Group):
        return False
    return len(forms.items) <= _MAX_FORMS and all(same(expected, form) for form in forms.items)


def _is_costly(expected: Node) -> bool:
    """Whether it cannot even be compared with 1."""
    try:
        same(expected, Number(Fraction(1)))
    except TooCostly:
        return True
    except MathsError:
        return False
    return False


def _is_several(node: Node) -> bool:
    spelled_out = spread(node)
    return isinstance(spelled_out, Group) and spelled_out.kind == "list"


_RUNGS: tuple[Callable[[str, str, Params], Finding | None], ...] = (_by_choice, _by_moment, _by_number, _by_meaning)
