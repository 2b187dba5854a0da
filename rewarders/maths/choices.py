r"""Letters of multiple-choice answers: `B`, `(B)`, `\text{(B)}`, `Option B`, `B. 12 apples`.

To be used only where the reference is such a letter: anywhere else `E` may be a number and `(A)` a matrix.
"""

import re

from rewarders.maths.normalise import canonical

MAX_CHOICE_CHARS = 2_000
"""Longer than a choice with its text."""

_IN_BRACKETS = r"(?:\( ?[A-Ja-j] ?\)|\[ ?[A-Ja-j] ?\])"
_NAMED = r"(?:(?i:(?:the )?(?:correct |right )?(?:option|choice|answer)(?: is)?(?:: ?| ))|选项? ?)"
_ANY_CASE_NAMED = r"(?i:option|choice) "
_LETTER_ALONE = re.compile(
    rf"{_NAMED}?(?:{_IN_BRACKETS}|[A-J][.)]?)|{_ANY_CASE_NAMED}[a-j]|[a-j]\)",
)
_LETTER_BEFORE_TEXT = re.compile(
    rf"{_NAMED}?(?:(?:\([A-J]\)|\[[A-J]\])[.:]? |[A-J](?:[.)] |\)|\.(?![A-Za-z.])))|{_NAMED}[A-J]: "
)
"""No space within the brackets: `( B ) x` is how a product may come out of LaTeX."""

_GOES_ON = re.compile(
    r"[-+] |[+^_/*=<>!|&':,]|\\(?!(?:frac|sqrt|pi|infty|pm|emptyset|begin|log|ln|sin|cos|tan)(?![A-Za-z])|\{)"
    r"|(?i:is|isn't|was|wasn't|or|and|but|nor|not|maybe|perhaps|plus|minus|times|over|false|untrue|nope|never)\b"
    r"|(?i:(?:it|this|that|which)(?:'s| is| was| isn't| wasn't)|can't|cannot be (?:it|right|true|correct))\b"
    r"|(?i:no)(?: (?:it|this|that|way|not|wait|i|the)\b|[^\w ]|$)"
)
"""Instead of the text of a choice, more of a formula or of a sentence: `(B) \times 2`, `(B) is wrong`."""

_DISMISSED = re.compile(r"\b(?:wrong|incorrect)\b|\\(?:neg|lnot|not)(?![A-Za-z])", re.IGNORECASE)
_BRACES = re.compile(r"\\?[{}]")

_ANOTHER = re.compile(r"(?<![A-Za-z0-9])(?:[A-J](?![A-Za-z0-9])|[a-j]\))")
_LETTER = re.compile("[A-Ja-j]")


def read_choice(text: str) -> str | None:
    """The one letter, `A` to `J`, that a normalised text chooses, with or without the text of the choice.

    None for several letters, for a lone lower-case letter, which may be a variable, and for a lower-case
    letter with more behind it, which may head a part of an answer: `(a) 3`.
    """
    return choice[0] if (choice := _letter_and_text(text)) else None


def read_choice_text(text: str) -> str | None:
    """What a normalised text gives as the text of the one letter it chooses: `12 apples` of `(B) 12 apples`."""
    choice = _letter_and_text(text)
    return choice[1] or None if choice else None


def same_choice(expected: str, answer: str) -> bool:
    """Whether two normalised texts choose the same letter, and the same text where both of them give it."""
    wanted, given = _letter_and_text(expected), _letter_and_text(answer)
    if wanted is None or given is None or wanted[0] != given[0]:
        return False
    return not wanted[1] or not given[1] or canonical(wanted[1]) == canonical(given[1])


def _letter_and_text(text: str) -> tuple[str, str] | None:
    chosen = text.strip()
    if len(chosen) > MAX_CHOICE_CHARS:
        return None
    if _LETTER_ALONE.fullmatch(chosen):
        return _last_letter(chosen), ""
    before = _LETTER_BEFORE_TEXT.match(chosen)
    if before is None:
        return None
    said = chosen[before.end() :].strip()
    if not said or _GOES_ON.match(said) or _ANOTHER.search(said) or _DISMISSED.search(said) or not _is_closed(said):
        return None
    return _last_letter(before[0]), said


def _is_closed(said: str) -> bool:
    r"""Whether braces come in pairs, `\{` and `{` apart: a text that ends in the middle of LaTeX is no text."""
    opened: list[str] = []
    for brace in _BRACES.findall(said):
        if brace[-1] == "{":
            opened.append(brace)
        elif not opened or len(opened.pop()) != len(brace):
            return False
    return not opened


def _last_letter(marked: str) -> str:
    letters: list[str] = _LETTER.findall(marked)
    return letters[-1].upper()
