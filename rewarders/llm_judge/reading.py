"""From a judge's reply to its answers, strictly: one object, whole, with the nonce, or nothing. Pure and linear.

Nothing is searched for. A parser that takes the first match, or the last, lets the text that is judged choose which
one that is: the judge only has to quote it.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rewarders.llm_judge.question import MAX_TEXT_CHARS, NONCE, REASONING, Form
from rewarders.prose.thinking import OPENING, answer_span
from rewarders.strict_json import Flaw, NotStrictError, parse

PARSER_VERSION = "2"
"""Changes whenever the same reply could be read as another answer."""
MAX_REPLY_CHARS = 1_000_000
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*)\n```", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|true|false', re.DOTALL)
_HALF = 0.5
_PROBLEMS = {
    Flaw.DUPLICATE_KEY: "duplicate_key",
    Flaw.NOT_FINITE: "wrong_kind",
    Flaw.LONE_SURROGATE: "wrong_kind",
}


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
    text = text[_thought(text) :].strip()
    fenced = _FENCE.fullmatch(text)
    return fenced[1] if fenced else text


def _thought(text: str) -> int:
    """Where a thinking section in front ends; 0 without one."""
    return answer_span(text).start if text.lstrip().startswith(OPENING) else 0


def _object(text: str) -> dict[str, Any]:
    try:
        value = parse(text)
    except NotStrictError as error:
        raise Unreadable(_PROBLEMS.get(error.flaw, "not_one_object")) from None
    if not isinstance(value, dict):
        raise Unreadable("not_one_object")
    return value


def _check_kinds(form: Form, answers: dict[str, Any]) -> None:
    most = len(form.ranks)
    texts = (isinstance(answers[name], str) and answers[name].strip() for name in form.texts)
    booleans = (isinstance(answers[name], bool) for name in form.booleans)
    ranks = (type(answers[name]) is int and 1 <= answers[name] <= most for name in form.ranks)
    if not (isinstance(answers[REASONING], str) and all(texts) and all(booleans) and all(ranks)):
        raise Unreadable("wrong_kind")
    if any(len(answers[name]) > MAX_TEXT_CHARS for name in form.texts):
        raise Unreadable("too_long")


def probabilities(form: Form, text: str, tokens: Sequence[TokenChoice]) -> dict[str, float] | None:
    """Probability of true for each boolean of a reply that was read; None where the tokens do not tell.

    The booleans of a readable reply are the only bare `true` and `false` in it that stand in no string, and come in
    the order of the form. What a token chose between is read from the first token of each.
    """
    if not tokens or "".join(token.text for token in tokens) != text:
        return None
    places = [found.start() for found in _TOKEN.finditer(text, _thought(text)) if found[0] in ("true", "false")]
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
