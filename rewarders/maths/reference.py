"""What a task may say about its right answer."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rewarders.maths.normalise import MAX_ANSWER_CHARS, normalise

_SURELY_SAYS_SOMETHING_CHARS = 1000
"""Validation runs in the server's event loop, where normalising a long text would make others wait."""


class Reference(BaseModel):
    """The right answer, or several spellings of it any one of which is right.

    `{"answer": "4"}`, `{"answer": ["4", "four"]}` and the bare `"4"` or `["4", "four"]` are all fine;
    integers and finite floats are taken as they print.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_ANSWER_CHARS)], ...], Field(min_length=1, max_length=64)
    ]
    """Alternatives. One that the parser cannot read still works: it is compared as text."""

    @model_validator(mode="before")
    @classmethod
    def _bare_answers(cls, data: Any) -> Any:
        return data if isinstance(data, dict | cls) else {"answer": data}

    @field_validator("answer", mode="before")
    @classmethod
    def _one_or_several(cls, answer: Any) -> Any:
        return tuple(map(_spelled, answer if isinstance(answer, list | tuple) else (answer,)))

    @field_validator("answer")
    @classmethod
    def _says_something(cls, answer: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_says_anything, answer)):
            raise ValueError("an answer is empty, and nothing would ever equal it; remove the task or give its answer")
        return answer


def _says_anything(answer: str) -> bool:
    return bool(answer.strip() if len(answer) > _SURELY_SAYS_SOMETHING_CHARS else normalise(answer))


def _spelled(answer: Any) -> Any:
    """A number as text; anything else as it is, for validation to judge."""
    if isinstance(answer, float) and not math.isfinite(answer):
        raise ValueError("an answer is not a finite number")
    return str(answer) if isinstance(answer, int | float) and not isinstance(answer, bool) else answer
