"""Text that nobody trusts, spelled so that it can stand in a prompt. Pure, linear, and nothing is lost.

It becomes one JSON string. What JSON leaves alone and a model or its tokenizer may take for more than text is escaped
as well: characters that cannot be seen, and the beginning of whatever looks like a tag (`<|im_start|>`, `</s>`,
`[INST]`), which some servers turn into the control token of that name.
"""

import json
import re

from rewarders.prose.invisible import INVISIBLE

_SIGNS = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Format characters that are drawn around numbers, and belong to no text that a judge has to read."""
_UNCERTAIN = "\x85\u2028\u2029\u200e\u200f\ue000-\uf8ff\U000f0000-\U0010ffff"
"""Line separators, marks of direction, and what each font draws as it likes."""
_UNSEEN = f"{INVISIBLE}{_SIGNS}{_UNCERTAIN}"
_LIKE_A_TAG = r"<(?=[|｜/!?a-zA-Z])|\[(?=/?[A-Z][A-Z_]+)"
_ESCAPED = re.compile(f"[{_UNSEEN}]|{_LIKE_A_TAG}")
_INERT = re.compile(f"[{_UNSEEN}]|[^\\w .,;:!?'()+*/=%-]")
_CONTROL_TOKEN = re.compile(r"<(?=[|｜]|/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn)>)|\[(?=/?[A-Z][A-Z_]+\])")


def defused(text: str) -> str:
    """The text with a space in whatever a tokenizer may take for a control token; for models that take no JSON."""
    return _CONTROL_TOKEN.sub(lambda found: f"{found[0]} ", text)


def quoted(text: str, *, inert: bool = False) -> str:
    """The text as one line of JSON.

    Args:
        text: anything, lone surrogates included.
        inert: escape every quotation mark, brace, bracket and the like too, so that not even a careless copy of it
            can be read as JSON, Markdown or a tag.
    """
    if inert:
        return f'"{_INERT.sub(_escape, text)}"'
    return _ESCAPED.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
