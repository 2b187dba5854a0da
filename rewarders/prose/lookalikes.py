"""Letters of other scripts that look like Latin ones, as the Latin ones: for finding what is spelled to be overlooked.

The pairs are the common ones of Unicode's confusables (UTS 39), lower case, one character for one. Wide, circled,
mathematical and accented letters are folded before.
"""

_PAIRS = {
    "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "г": "r", "һ": "h", "н": "h", "і": "i", "ј": "j", "к": "k",
    "ӏ": "l", "м": "m", "о": "o", "р": "p", "ԛ": "q", "ѕ": "s", "т": "t", "у": "y", "ѵ": "v", "ԝ": "w", "х": "x",
    "ь": "b", "п": "n", "α": "a", "β": "b", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p",
    "τ": "t", "υ": "u", "χ": "x", "γ": "y", "ω": "w", "ı": "i", "ɑ": "a", "ɡ": "g", "ɩ": "i", "ʟ": "l", "ɴ": "n",
    "ʀ": "r", "ᴀ": "a", "ᴄ": "c", "ᴅ": "d", "ᴇ": "e", "ᴊ": "j", "ᴋ": "k", "ᴍ": "m", "ᴏ": "o", "ᴘ": "p", "ᴛ": "t",
    "ᴜ": "u", "ᴠ": "v", "ᴡ": "w", "ᴢ": "z", "ʙ": "b", "ɢ": "g", "ʜ": "h", "ɪ": "i", "ʏ": "y", "ꜱ": "s", "օ": "o",
    "ո": "n", "ս": "u", "հ": "h", "ց": "g",
}  # fmt: skip
_TABLE = str.maketrans(_PAIRS)


def as_latin(folded: str) -> str:
    """A folded text with look-alikes replaced, at equal length."""
    return folded if folded.isascii() else folded.translate(_TABLE)
