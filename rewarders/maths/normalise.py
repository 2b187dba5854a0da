r"""One spelling for the many ways of writing the same characters.

Looks are undone (fullwidth digits, typographic minus signs, LaTeX spacing, `\dfrac`, dollar signs); meaning
is not touched: nothing here knows what a number is.
"""

import re
import unicodedata
from functools import lru_cache

MAX_ANSWER_CHARS = 200_000
"""Longer than any answer; every pass below is linear in it."""

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile("[₀-₉]+")
_CIRCLED = re.compile("[①-⑳⓪❶-❿➀-➉➊-➓]+")

_BLACKBOARD = str.maketrans({letter: rf"\mathbb{{{plain}}} " for letter, plain in zip("ℝℤℕℚℂ", "RZNQC", strict=True)})
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
        "≈": r"\approx ",
        "≡": r"\equiv ",
        "→": r"\to ",
        "∖": r"\setminus ",
        "∧": r"\land ",
        "∨": r"\lor ",
        "⌊": r"\lfloor ",
        "⌋": r"\rfloor ",
        "⌈": r"\lceil ",
        "⌉": r"\rceil ",
        "⟨": r"\langle ",
        "⟩": r"\rangle ",
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

_OTHER_NAMES = {
    **dict.fromkeys(("lvert", "rvert", "vert"), "|"),
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), r"\frac"),
    **dict.fromkeys(("dbinom", "tbinom"), r"\binom"),
    **dict.fromkeys(("leqslant", "leq"), r"\le "),
    **dict.fromkeys(("geqslant", "geq"), r"\ge "),
    **dict.fromkeys(("varnothing", "O"), r"\emptyset "),
    **dict.fromkeys(("degree", "degrees"), r"\degree "),
    **{"neq": r"\ne ", "smallsetminus": r"\setminus ", "div": "/", "lt": "<", "gt": ">"},
    **dict.fromkeys(
        (
            *("left", "right", "middle", "mleft", "mright", "displaystyle", "textstyle", "limits", "nolimits", "hline"),
            *(f"{big}{side}" for big in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")),
            *("quad", "qquad", "thinspace", "enspace", "medspace", "nobreakspace"),
        ),
        " ",
    ),
}
"""Commands that are another name of a command, or of nothing."""
_COMMAND = re.compile(r"\\([A-Za-z]+)")

_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\boxed(?=\s{0,8}\{)|\\fbox(?=\s{0,8}\{)", ""),
        # a LaTeX thousands separator, which a plain comma may not be
        (r"(?<=\d)(?:\{,\}|,\s?\\!)\s?(?=\d{3})", ""),
        (
            r"\\(?:text|textbf|textit|textrm|textsf|textnormal|mathrm|mathbf|boldsymbol|mathit|mathsf|mathcal|mbox|hbox"
            r"|emph|operatorname\*?|underline)\s?\{([^{}]*)\}",
            r" \1 ",
        ),
        (r"\^\s?(?:\{\s?\\circ\s?\}|\\circ(?![a-zA-Z]))", r"\\degree "),
        (r"\\not\s?=|!=", r"\\ne "),
        (r":=", "="),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"(?<=[\d)}]) ?degrees?\s*$", r"\\degree "),
        (r"\\\$(?=\s?[\d.])", "USD "),
        (r"\\overline\s?\{\s?([A-Z]{2})\s?\}", r" \1 "),
        (r"\A\s?\\approx(?![a-zA-Z])", ""),
        (r"\\h(?:space|skip)\*?\{[^{}]{0,20}\}|\\[()\[\]$,;:!> ]|[$~]", " "),
        (r"\\([%#&_])", r"\1"),
        (r"\*\*", "^"),
        (r"([\^_])\{([A-Za-z0-9])\}", r"\1\2 "),
        (r"(?<=[\d)\]}])(or|and)(?=[A-Z(\d\\])", r" \1 "),
        (r"\s+", " "),
    )
)
_NO_BRACKET = re.compile(r"\\(?:left|right|middle)\s?\.")
_ONLY = re.compile(r"(?:only|just|exactly|simply)\s+", re.IGNORECASE)
"""Words that may stand before an answer and add nothing."""
_DOLLARS = re.compile(r"(?<!\\)\$(?=\s?[\d.])")
_QUOTES = "\"'"
_ROW_BREAK = re.compile(r"\\\\(?:\s?\[[^\[\]]{0,12}\])?")
_DOUBLED = re.compile(r"\\\\(?=[A-Za-z(){}\[\]$%])")
_REPEATING = re.compile(r"(?<![\d.])(\d{0,30})\.(\d{0,30})\\(?:overline|bar|dot)\s?(?:\{\s?(\d{1,30})\s?\}|(\d))(?!\d)")
_GOES_ON = re.compile(r"(?<![\d.])(\d{1,30})\.(\d{0,30}?)(\d)\3\3+ ?(?:\.\.\.|\\[lcd]?dots(?![a-z]))")
"""A decimal that repeats its last digit three times and then has dots."""
_MARKUP = re.compile(r"[\\$~*^_{}!:]|degree|[\d)\]](?:or|and)[A-Z(\d]")
"""What any of the rewrites but that of spaces needs."""
_KEPT, _KEPT_CHARS = 2048, 512
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9,]) | (?![A-Za-z0-9])|(?<=,) (?!\d{3}(?!\d))")


def normalise(text: str) -> str:
    """The one spelling of an answer that all rungs of the ladder read. May be empty."""
    return _normalised_once(text) if len(text) <= _KEPT_CHARS else _normalised(text)


def _normalised(text: str) -> str:
    if not text.isascii():
        text = _plain_characters(text)
    text = _without_quotes("".join(char for char in text if char >= " " or char in "\t\n\r").strip("*` \n\t\r"))
    if text.count("$") == 1:
        text = _DOLLARS.sub("USD ", text)
    if "\\" in text:
        text = _REPEATING.sub(_as_fraction, _line_breaks(text))
        text = _COMMAND.sub(_usual_command, _NO_BRACKET.sub(" ", text))
    if ".." in text or "dots" in text:
        text = _GOES_ON.sub(_as_fraction, text)
    for pattern, replacement in _REWRITES if _MARKUP.search(text) else _REWRITES[-1:]:
        text = pattern.sub(replacement, text)
    text = _without_quotes(text.lstrip("`,;:= ").rstrip("`,;: \\"))
    text = text if text.endswith("..") else text.removesuffix(".").rstrip("`,;: \\")
    filler = _ONLY.match(text)
    return text[filler.end() :] if filler else text


_normalised_once = lru_cache(maxsize=_KEPT)(_normalised)
"""A reference is read for each completion of its group, and more than once for each."""


def _without_quotes(text: str) -> str:
    """A single quote at the end may be a prime, and a double one seconds."""
    while len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1].strip()
    return text


def _line_breaks(text: str) -> str:
    r"""Row breaks get a name, so that a backslash is always one: `\\frac`, escaped twice on its way, is `\frac`."""
    if "\\\\" not in text:
        return text
    if "\\\\begin" in text or "\\begin" not in text:
        text = _DOUBLED.sub(r"\\", text.replace("\\\\\\\\", r"\cr "))
    return _ROW_BREAK.sub(r"\\cr ", text)


def _usual_command(command: re.Match[str]) -> str:
    return _OTHER_NAMES.get(command[1], command[0])


def _as_fraction(repeating: re.Match[str]) -> str:
    r"""`0.1\overline{36}` is 3/22: the repeated digits stand over as many nines."""
    whole, before, period, *digit = repeating.groups()
    period = period or digit[0]
    above = int(whole + before + period) - int(whole + before or "0")
    return rf"\frac{{{above}}}{{{'9' * len(period) + '0' * len(before)}}}"


def canonical(normalised: str) -> str:
    """What two answers have in common when they are the same text: spacing that means nothing is gone.

    A space between two letters or digits stays: `1 1/2` is not `11/2`. `No` and `no` are one word; `B` and
    `b`, `AB` and `ab` are different names.
    """
    tight = _LOOSE_SPACE.sub("", normalised)
    is_words = tight.replace(" ", "").isalpha() and len(tight) > 1 and tight[1:].islower()
    return tight.casefold() if is_words else tight


def _plain_characters(text: str) -> str:
    text = text.translate(_BLACKBOARD)
    text = _CIRCLED.sub(lambda signs: ", ".join(f"{unicodedata.numeric(sign, 0):g}" for sign in signs[0]), text)
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
