"""Texts that answer nothing, found without asking any model. Pure and linear.

A colon, "Solution:" or the question itself has been enough to be accepted by model judges (arXiv:2507.08794 measured
false positive rates of up to 80 %). What is listed here never gets that far.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

_ECHO_SHARE = 0.8
"""Of the prompt or of a criterion: what holds less of it may be quoting."""
_FEWEST_WORDS = 3
"""A prompt of fewer words is no measure: to repeat it may well be to answer it."""
_ALIKE_CHARS, _FEW_CHARS = 100, 3
_ALIKE_WORDS, _FEW_WORDS = 100, 5
_WORD = re.compile(r"\w+")
_OPENERS = frozenset(
    """
    answer|final answer|the answer is|the final answer is|my answer|answer below|solution|the solution|solution below
    here is the solution|here is my solution|here s the solution|here is the answer|here is my answer
    here s the answer|thought process|thinking process|thoughts|reasoning|explanation|analysis|step 1|step one
    let s solve this problem step by step|let us solve this problem step by step|let s solve this step by step
    let s think step by step|let us think step by step|let s think|let s work through this step by step
    let s break this down|let s begin|to solve this problem|to solve this problem we need to|we need to
    sure here is the answer|i will solve this step by step|let me think|let me solve this
    解|解答|答案|答|答え|回答|かいせつ|解説|思考过程|首先|让我们一步一步地思考|让我们一步一步思考|정답|풀이
    solución|respuesta|la respuesta es|lösung|antwort|die antwort ist|solution étape par étape|réponse|la réponse est
    solução|resposta|soluzione|risposta|решение|ответ|الحل|الجواب|हल|उत्तर|çözüm|cevap
    this answer is correct|the answer is correct|my answer is correct|this is correct|this is the correct answer
    the solution is correct|this response is correct|this solution is correct|this is right|i am correct
    this answer meets all criteria|this answer meets all the criteria|this response meets all criteria
    meets all criteria|meets all criteria listed|all criteria are met|all requirements are met|full marks|full credit
    """.replace("\n", "|").split("|")
)
_PHRASES = frozenset(" ".join(_WORD.findall(opener)) for opener in _OPENERS) - {""}


class Emptiness(StrEnum):
    """Why a text answers nothing."""

    NO_CONTENT = "no_content"
    """No letter, digit or symbol beyond punctuation."""
    BOILERPLATE = "boilerplate"
    """Nothing but the way in which answers begin, or a claim to be one."""
    REPETITION = "repetition"
    """Long, and made of a handful of characters or words."""
    PROMPT_ECHO = "prompt_echo"
    """The question, and nothing else."""
    RUBRIC_ECHO = "rubric_echo"
    """A criterion, and nothing else."""


def emptiness(text: str, prompts: Iterable[str], criteria: Iterable[str] = ()) -> Emptiness | None:
    """Why the text cannot be an answer, or None if it may be one.

    Args:
        text: what is to be judged.
        prompts: each message of the prompt, and all of them together.
        criteria: what it is to be judged by.
    """
    words = _words(text)
    if not words:
        return None if _has_symbol(text) else Emptiness.NO_CONTENT
    said = " ".join(words)
    if said in _PHRASES:
        return Emptiness.BOILERPLATE
    if _repeats_itself(words, said):
        return Emptiness.REPETITION
    if any(_echoes(said, " ".join(_words(prompt))) for prompt in prompts):
        return Emptiness.PROMPT_ECHO
    echoed = any(_echoes(said, " ".join(_words(criterion))) for criterion in criteria)
    return Emptiness.RUBRIC_ECHO if echoed else None


def _words(text: str) -> list[str]:
    """Letters and digits alone, so that neither case, width, punctuation nor what cannot be seen makes a difference."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    return _WORD.findall("".join(ch for ch in plain if ch.isprintable() or ch.isspace()))


def _has_symbol(text: str) -> bool:
    """A symbol such as the empty set or infinity is an answer; ASCII punctuation is none."""
    return any(ord(ch) > 127 and unicodedata.category(ch) in ("Sm", "So", "Sc") for ch in text[:10_000])


def _repeats_itself(words: list[str], said: str) -> bool:
    few_letters = len(said) >= _ALIKE_CHARS and len(set(said) - {" "}) <= _FEW_CHARS
    return (few_letters and not said[0].isdigit()) or (len(words) >= _ALIKE_WORDS and len(set(words)) <= _FEW_WORDS)


def _echoes(said: str, source: str) -> bool:
    """Whether this is the source, most of it, or the source and boilerplate."""
    if source.count(" ") + 1 < _FEWEST_WORDS:
        return False
    if len(said) <= len(source):
        return said in source and len(said) >= _ECHO_SHARE * len(source)
    rest = " ".join(said.replace(source, " ").split())
    return rest != said and (not rest or rest in _PHRASES)
