r"""One spelling for the many ways of writing the same characters.

Looks are undone (fullwidth digits, typographic minus signs, LaTeX spacing, `\dfrac`, dollar signs); meaning
is not touched: nothing here knows what a number is.
"""

import re
import unicodedata

MAX_ANSWER_CHARS = 200_000
"""Longer than any answer; every pass below is linear in it."""

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile("[₀-₉]+")
_CIRCLED = re.compile("[①-⓿❶-➓]")

_LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("−‐‑‒–—―﹣－", "-"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", None),
        **dict.fromkeys("×✕⨯", r"\times "),
        **dict.fromkeys("·⋅∙•", r"\cdot "),
        **dict.fromkeys("∕÷⁄", "/"),
        **dict.fromkeys("∅⌀", r"\emptyset "),
        **dict.fromkeys("°º", r"\degree "),
        **dict.fromkeys("‘’′", "'"),
        **dict.fromkeys("“”", '"'),
        "√": "sqrt ",
        "π": r"\pi ",
        "∞": r"\infty ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "±": r"\pm ",
        "≤": r"\le ",
        "⩽": r"\le ",
        "≥": r"\ge ",
        "⩾": r"\ge ",
        "≠": r"\ne ",
        "θ": r"\theta ",
        "α": r"\alpha ",
        "β": r"\beta ",
        "γ": r"\gamma ",
        "λ": r"\lambda ",
        "μ": r"\mu ",
        "φ": r"\phi ",
        "ω": r"\omega ",
        "、": ",",
        "。": ".",
    }
)

_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\boxed(?=\s{0,8}\{)|\\fbox(?=\s{0,8}\{)", ""),
        (
            r"(?<=\d)(?:\{,\}|,\s?\\!)\s?(?=\d{3})",
            "",
        ),  # a LaTeX thousands separator, which a plain comma may not be
        (r"\\(?:left|right|[bB]igg?[lr]?|mleft|mright|displaystyle|limits)(?![a-zA-Z])", " "),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (
            r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|operatorname)\s?\{([^{}]*)\}",
            r" \1 ",
        ),
        (r"\^\s?(?:\{\s?\\circ\s?\}|\\circ(?![a-zA-Z]))|\\degrees?(?![a-zA-Z])", r"\\degree "),
        (r"\\(?:leqslant|leq)(?![a-zA-Z])", r"\\le "),
        (r"\\(?:geqslant|geq)(?![a-zA-Z])", r"\\ge "),
        (r"\\neq(?![a-zA-Z])|!=", r"\\ne "),
        (r"\\varnothing(?![a-zA-Z])", r"\\emptyset "),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\[()\[\]$]|\$", " "),
        (r"\\(?:quad|qquad)(?![a-zA-Z])|\\[,;:!> ]|~", " "),
        (r"\\([%#&_])", r"\1"),
        (r"\*\*", "^"),
        (r"([\^_])\{([A-Za-z0-9])\}", r"\1\2 "),
        (r"\s+", " "),
    )
)
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")


def normalise(text: str) -> str:
    """The one spelling of an answer that all rungs of the ladder read. May be empty."""
    if not text.isascii():
        text = _plain_characters(text)
    text = "".join(char for char in text if char >= " " or char in "\t\n\r").strip("*` \n\t\r\"'")
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text.lstrip("`\"',;: ").rstrip("`\"'.,;: \\")


def canonical(normalised: str) -> str:
    """What two answers have in common when they are the same text: spacing that means nothing is gone.

    A space between two letters or digits stays: `1 1/2` is not `11/2`. `No` and `no` are one word; `B` and
    `b`, `AB` and `ab` are different names.
    """
    tight = _LOOSE_SPACE.sub("", normalised)
    is_words = tight.replace(" ", "").isalpha() and len(tight) > 1 and tight[1:].islower()
    return tight.casefold() if is_words else tight


def _plain_characters(text: str) -> str:
    text = _CIRCLED.sub(lambda sign: rf"\circled {unicodedata.numeric(sign[0], 0):g} ", text)
    text = _RAISED.sub(lambda run: "^{" + "".join(_SUPERSCRIPTS[char] for char in run[0]) + "}", text)
    text = _LOWERED.sub(lambda run: "_{" + unicodedata.normalize("NFKC", run[0]) + "}", text)
    text = "".join(map(_plain_fraction, text)) if any(map(_is_fraction, set(text))) else text
    text = unicodedata.normalize("NFKC", text).translate(_LOOKALIKES)
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def _is_fraction(char: str) -> bool:
    return "\u2044" in unicodedata.normalize("NFKC", char) and char != "\u2044"


def _plain_fraction(char: str) -> str:
    if not _is_fraction(char):
        return char
    above, _, below = unicodedata.normalize("NFKC", char).partition("\u2044")
    return rf"\frac{{{above}}}{{{below}}}"
