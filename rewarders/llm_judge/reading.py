"""From a judge's reply to its answers, strictly: one object, whole, with the nonce, or nothing. Pure and linear.

Nothing is searched for. A parser that takes the first match, or the last, lets the text that is judged choose which
one that is: the judge only has to quote it.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rewarders.llm_judge.question import MAX_TEXT_CHARS, NONCE, REASONING, Form

PARSER_VERSION = "1"
"""Changes whenever the same reply could be read as another answer."""
MAX_REPLY_CHARS = 1_000_000
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*)\n```", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|true|false', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = 0.5


class Unreadable(ValueError):
    """The reply is not the form; `str()` is a short code."""


@dataclass(frozen=True)
class TokenChoice:
    """One token of a reply and what could have stood in its place, each with its log-probability (nats)."""

    text: str
    alternatives: tuple[tuple[str, float], ...]


def read(form: Form, text: str, nonce: str) -> dict[str, Any]:
    """The answers, by the form's keys.

    A `<think>` section in front and one fence around the whole rest are what some servers add; all else must be
    the object.

    Raises:
        Unreadable: it is anything else.
    """
    if len(text) > MAX_REPLY_CHARS:
        raise Unreadable("too_long")
    answers = _object(_bare(text))
    if tuple(answers) != form.keys:
        raise Unreadable("wrong_keys" if set(answers) != set(form.keys) else "wrong_order")
    if answers[NONCE] != nonce:
        raise Unreadable("wrong_nonce")
    _check_kinds(form, answers)
    return answers


def _bare(text: str) -> str:
    text = text.strip()
    if text.startswith("<think>"):
        text = text.rpartition("</think>")[2].strip()
    fenced = _FENCE.fullmatch(text)
    return fenced[1] if fenced else text


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_no_constant)
    except Unreadable:
        raise
    except (ValueError, RecursionError):
        raise Unreadable("not_one_object") from None
    if not isinstance(value, dict):
        raise Unreadable("not_one_object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unreadable("duplicate_key")
    return made


def _no_constant(spelling: str) -> Any:
    """No form has a field for a fraction, a NaN or an infinity."""
    raise Unreadable("wrong_kind")


def _check_kinds(form: Form, answers: dict[str, Any]) -> None:
    most = len(form.ranks)
    texts = (isinstance(answers[name], str) and answers[name].strip() for name in form.texts)
    booleans = (isinstance(answers[name], bool) for name in form.booleans)
    ranks = (type(answers[name]) is int and 1 <= answers[name] <= most for name in form.ranks)
    if not (isinstance(answers[REASONING], str) and all(texts) and all(booleans) and all(ranks)):
        raise Unreadable("wrong_kind")
    if any(len(answers[name]) > MAX_TEXT_CHARS for name in form.texts):
        raise Unreadable("too_long")
    if any(_SURROGATE.search(answers[name]) for name in (REASONING, *form.texts)):
        raise Unreadable("wrong_kind")  # it has no UTF-8, so it could be neither recorded nor answered


def probabilities(form: Form, text: str, tokens: Sequence[TokenChoice]) -> dict[str, float] | None:
    """Probability of true for each boolean of a reply that was read; None where the tokens do not tell.

    The booleans of a readable reply are the only bare `true` and `false` in it that stand in no string, and come in
    the order of the form. What a token chose between is read from the first token of each.
    """
    if not tokens or "".join(token.text for token in tokens) != text:
        return None
    begin = len(text) - len(text.rpartition("</think>")[2]) if text.lstrip().startswith("<think>") else 0
    places = [found.start() for found in _TOKEN.finditer(text, begin) if found[0] in ("true", "false")]
    chosen = [_probability(token) for token in _tokens_at(places, tokens)]
    if len(chosen) != len(form.booleans) or None in chosen:
        return None
    return {name: value for name, value in zip(form.booleans, chosen, strict=True) if value is not None}


def _tokens_at(places: Iterable[int], tokens: Sequence[TokenChoice]) -> list[TokenChoice]:
    """The token that holds each of the places, which ascend."""
    found, index, end = [], -1, 0
    for place in places:
        while end <= place:
            index += 1
            end += len(tokens[index].text)
        found.append(tokens[index])
    return found


def _probability(token: TokenChoice) -> float | None:
    """Share of true among the alternatives that begin true or false; None where there is neither."""
    mass = {"true": 0.0, "false": 0.0}
    for spelling, logprob in token.alternatives:
        word = spelling.lstrip(' \t\n:"')
        for value in mass:
            if word and (value.startswith(word) or word.startswith(value)):
                mass[value] += math.exp(min(logprob, 0.0))
    total = sum(mass.values())
    return mass["true"] / total if total >= _HALF else None
