r"""Looks at the references of `maths.equal` before anything is scored by them.

The codes of the problems are a closed list:

`too_costly`  error    it is too large to be compared with anything, and answers would be blamed for that
`not_itself`  error    its own text is not accepted as an answer, so nothing ever would be
`unparsable`  warning  it is not in the language of the parser: only the same text equals it
`ambiguous`   warning  it reads two ways, and the one taken may not be the one that was meant
"""

import re

from rewarders.maths.choices import read_choice
from rewarders.maths.ladder import Reason
from rewarders.maths.moments import read_moment
from rewarders.maths.normalise import normalise
from rewarders.maths.params import Params
from rewarders.maths.parse import parse
from rewarders.maths.reference import Reference
from rewarders.maths.tree import MathsError
from rewarders.types import TaskProblem

_SHOWN_CHARS = 60
_ONE = Reference(answer=("1",))
"""Compared with this, an answer costs next to nothing but what it costs by itself."""

_SIGN = "[€£¥₹]"
_THOUSANDS = r"[1-9]\d{0,2},\d{3}\b"
_DECIMAL_COMMA = rf"[-+]?(?!{_THOUSANDS})\d++(?:\.\d{{3}})*+,\d++"
_BOUND = r"(?:[<>]|\\(?:le|ge|ne|in)(?![A-Za-z]))"
"""Between inequalities, `or` is a union."""
_DIVISOR = r"/ ?\d++(?:\.\d++)? ?"
_GOES_ON = r"(?:[A-Za-z](?![A-Za-z])|\(|\\(?:pi|sqrt)(?![A-Za-z]))"

_READS_TWO_WAYS = {
    re.compile(pattern): readings
    for pattern, readings in {
        rf"\A(?:{_SIGN} ?)?{_DECIMAL_COMMA}(?: ?(?:%|{_SIGN}))?\Z": (
            "the comma is a decimal comma, or between two numbers; write 1.22, or 1, 22 with a space"
        ),
        r"\A[-+]?\d{1,2}(?:,\d{2}(?!\d))++,\d{3}\Z": (
            "the commas are inside one number, or between several; leave them out, or put spaces after them"
        ),
        r"\A(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?\Z": "a time of day, or a ratio; write 10:30 am for a time",
        r"\A(?:\d{1,2}/\d{1,2}/\d{2,4}|\d{4}/\d{1,2}/\d{1,2})\Z": (
            "a date, or a quotient; write 5 March 2021, or 3/(5*2021)"
        ),
        rf"\A(?!.*{_BOUND}).*(?<![A-Za-z\\])or(?![A-Za-z])": (
            "any one of these, or all of them; give several answers where any one of them will do"
        ),
        _DIVISOR + _GOES_ON: "what follows the number below belongs to it, or not; put brackets",
    }.items()
}
"""What may be meant by what a pattern finds in a normalised text. The patterns run in linear time."""


def check_reference(reference: Reference, params: Params) -> tuple[TaskProblem, ...]:
    """What is wrong with each alternative of a reference, in their order."""
    return tuple(problem for alternative in reference.answer for problem in _problems(reference, alternative, params))


def _problems(reference: Reference, alternative: str, params: Params) -> tuple[TaskProblem, ...]:
    from rewarders.maths import verify  # which names this module as the check of its rewarder

    read = verify(_ONE, alternative).reason
    if read == Reason.TOO_COSTLY:
        return (_error(Reason.TOO_COSTLY, alternative, "is too long or stands for too large a number to be compared"),)
    alone = reference.model_copy(update={"answer": (alternative,)})
    itself = verify(alone, alternative, params)
    if itself.score < 1:
        return (_error("not_itself", alternative, f"does not accept itself as an answer: that is {itself.reason}"),)
    if read == Reason.UNPARSABLE and not _is_special(alternative):
        return (_warning("unparsable", alternative, f"is compared as text alone: {_unread(alternative)}"),)
    return tuple(_warning("ambiguous", alternative, f"reads two ways: {two}") for two in _second_readings(alternative))


def _is_special(alternative: str) -> bool:
    """Whether it is read in a way that only a reference can ask for."""
    text = normalise(alternative)
    return read_moment(text) is not None or read_choice(text) is not None


def _unread(alternative: str) -> str:
    """What could not be read."""
    try:
        parse(normalise(alternative))
    except MathsError as error:
        return str(error)
    return "what is beside its unit could not be read"


def _second_readings(alternative: str) -> list[str]:
    text = normalise(alternative)
    return [readings for pattern, readings in _READS_TWO_WAYS.items() if pattern.search(text)]


def _error(code: str, alternative: str, what: str) -> TaskProblem:
    return TaskProblem(severity="error", code=code, message=f"{_shown(alternative)} {what}")


def _warning(code: str, alternative: str, what: str) -> TaskProblem:
    return TaskProblem(severity="warning", code=code, message=f"{_shown(alternative)} {what}")


def _shown(alternative: str) -> str:
    cut = alternative if len(alternative) <= _SHOWN_CHARS else alternative[: _SHOWN_CHARS - 1] + "…"
    return f'"{cut}"'
