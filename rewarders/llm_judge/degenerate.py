"""Texts that answer nothing, found without asking any model. Pure and linear.

A colon, "Solution:" or the question itself has been enough to be accepted by model judges (arXiv:2507.08794 measured
false positive rates of up to 80 %). What is listed here never gets that far.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum

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


def emptiness(
    text: str, prompt: Sequence[str], criteria: Iterable[str] = (), right: str | None = None
) -> Emptiness | None:
    """Why the text cannot be an answer, or None if it may be one.

    "Fix the punctuation: lets eat grandma" is answered by nearly all of the prompt. Only all of it is an echo, with the
    instruction, however it is spelled; or one of its messages to the letter.

    Args:
        text: what is to be judged.
        prompt: its messages.
        criteria: what the text is to be judged by.
        right: an answer that is known to be right, whatever it looks like: `<=`, or the prompt itself.
    """
    if right and text.casefold().split() == right.casefold().split():
        return None
    words = _words(text)
    if not words:
        return None if _has_symbol(text) else Emptiness.NO_CONTENT
    said = " ".join(words)
    if said in _PHRASES:
        return Emptiness.BOILERPLATE
    if _repeats_itself(words, said):
        return Emptiness.REPETITION
    if _echoes(said, " ".join(prompt)) or any(_is_the_same(text, message) for message in prompt):
        return Emptiness.PROMPT_ECHO
    return Emptiness.RUBRIC_ECHO if any(_echoes(said, criterion) for criterion in criteria) else None


def _words(text: str) -> list[str]:
    """Letters and digits alone, so that neither case, width, punctuation nor what cannot be seen makes a difference."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    return _WORD.findall("".join(ch for ch in plain if ch.isprintable() or ch.isspace()))


def _has_symbol(text: str) -> bool:
    """A symbol such as the empty set or infinity is an answer; ASCII punctuation is none."""
    return any(ord(ch) > 127 and unicodedata.category(ch) in ("Sm", "So", "Sc") for ch in text[:10_000])


def _repeats_itself(words: list[str], said: str) -> bool:
    few_letters = len(said) >= _ALIKE_CHARS and len(set(said) - {" "}) <= _FEW_CHARS
    wordy = [word for word in words if not word.isdigit()]
    return (few_letters and not said[0].isdigit()) or (len(wordy) >= _ALIKE_WORDS and len(set(wordy)) <= _FEW_WORDS)


def _echoes(said: str, source: str) -> bool:
    """Whether this is every word of the source, and nothing besides but boilerplate."""
    words = _words(source)
    if len(words) < _FEWEST_WORDS:
        return False
    rest = " ".join(said.replace(" ".join(words), " ").split())
    return rest != said and (not rest or rest in _PHRASES)


def _is_the_same(text: str, message: str) -> bool:
    """White space makes no difference. Case and punctuation do: they may be what was asked for."""
    words = message.split()
    return len(words) >= _FEWEST_WORDS and text.split() == words
