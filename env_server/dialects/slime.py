"""slime's `--rm-type remote_rm --rm-url`.

It sends one sample, and reads the reward from the whole answer, or with `--reward-key` from a field of it. What is no
2xx it sends ten times with growing pauses; then the run stops.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import JsonValue

from env_server.dialects.asking import (
    Foreign,
    JsonLabels,
    RunName,
    begins,
    documented_asking,
    read,
    require_feasible,
    require_rewards,
    score,
)
from env_server.dialects.translation import contributions, item_of, label_of, without_end_marks
from env_server.keys.scopes import needs
from env_server.principal import Scope
from env_server.routes.documents import PROBLEM_RESPONSES
from env_server.service import service_of

router = APIRouter(responses=PROBLEM_RESPONSES, dependencies=[needs(Scope.SCORE), begins])

Form = Annotated[Literal["number", "object"], Query(alias="as")]


class Sample(Foreign):
    """What slime posts."""

    prompt: str | list[dict[str, JsonValue]]
    """Text after the chat template, or messages where the run applies none."""
    response: str
    label: JsonValue = None


@router.post("/slime/{rubric}", openapi_extra=documented_asking(Sample))
async def reward(
    request: Request, rubric: str, form: Form = "number", json_labels: JsonLabels = False, run: RunName = None
) -> float | dict[str, float]:
    """The reward as a number; with `?as=object` its `reward` and each component's part of it, for `--reward-key`."""
    sample, _ = await read(request, Sample)
    require_feasible(request, rubric, 1)
    label = label_of(sample.label, json_labels)
    text = without_end_marks(sample.response, service_of(request).config.dialects.end_marks)
    item = item_of(rubric, sample.prompt, {"text": text}, label, "slime")
    (scored,) = await score(request, [item], run)
    (number,) = require_rewards([scored])
    return number if form == "number" else {**contributions(scored), "reward": number}
