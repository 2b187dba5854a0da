"""For the cases of `judge.*` and `model.scalar`: a judge and a reward model that can add, and know nothing else.

They answer as an honest model would that reads the question, so a case fails only by what is around them. Text is
compared by the maths verifier, which has cases of its own.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rewarders.llm_judge.question import NONCE, REASONING, JudgeReply, Question
from rewarders.llm_judge.reading import read
from rewarders.maths import verify
from rewarders.types import Message

_SUM = re.compile(r"What is (\d+) \+ (\d+)\?")
_NONCE = "0f1e2d3c4b5a6978"


def _is_right(right: str, text: str) -> bool:
    """The question itself is no answer, although its sum is right."""
    return verify({"answer": right}, _SUM.sub("", text)).score == 1.0


def _sum_of(text: str) -> str:
    """The answer to the sum that is asked for; `none` where there is none."""
    found = _SUM.search(text)
    return str(int(found[1]) + int(found[2])) if found else "none"


@dataclass(frozen=True)
class AddingJudge:
    """Answers every form by whether the texts give the right sum. Its replies go through the strict reader."""

    name: str = "default"

    async def ask(self, question: Question, sample: int = 0, *, fresh: bool = False) -> JudgeReply:
        """As an honest judge would."""
        reply = json.dumps(self._answers(question))
        return JudgeReply(self.name, _NONCE, reply, read(question.form, reply, _NONCE))

    def _answers(self, question: Question) -> dict[str, Any]:
        texts, form = {section.title: section.text for section in question.sections}, question.form
        *known, judged = (section.text for section in question.sections)
        right = texts.get("REFERENCE") or _sum_of(" ".join(known) or judged)
        said: dict[str, Any] = dict.fromkeys(form.texts, right)
        said.update({label: 1 if _is_right(right, texts[label]) else 2 for label in form.ranks})
        said.update({name: _is_right(right, judged) for name in form.booleans})
        return {REASONING: "I added.", **said, NONCE: _NONCE}


@dataclass(frozen=True)
class AddingModel:
    """1 for the right sum, else 0."""

    name: str = "default"

    async def score(self, prompt: Sequence[Message], answer: str) -> float | None:
        """As a reward model that never errs would."""
        return float(_is_right(_sum_of(prompt[-1].content or ""), answer))
