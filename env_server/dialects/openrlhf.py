"""OpenRLHF's `--reward.remote_url` (older versions: `--remote_rm_url`).

It sends lists of any length under `query`, `prompts` and `labels`, empty ones too. What is no 2xx it sends five times,
a second apart; then the sample has no reward, and the run stops unless it has a reward model of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
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
from env_server.giving_way import giving_way
from env_server.keys.scopes import needs
from env_server.principal import Scope
from env_server.routes.documents import PROBLEM_RESPONSES
from env_server.schemas import RawItem, ScoredItem
from env_server.service import service_of
from rewarders.errors import RequestError

router = APIRouter(responses=PROBLEM_RESPONSES, dependencies=[needs(Scope.SCORE), begins])


class RewardRequest(Foreign):
    """What OpenRLHF posts."""

    query: list[str]
    """Prompt and response, with special tokens."""
    prompts: list[str]
    labels: list[JsonValue] | None = None


@router.post("/openrlhf/{rubric}/get_reward", openapi_extra=documented_asking(RewardRequest))
async def get_reward(
    request: Request, rubric: str, json_labels: JsonLabels = False, run: RunName = None
) -> dict[str, Any]:
    """Rewards of a batch: `rewards` are learnt from, `scores` (0 to 1) filter groups, `extra_logs` are plotted."""
    asked, _ = await read(request, RewardRequest)
    require_feasible(request, rubric, len(asked.query))
    most = service_of(request).config.server.max_json_values // max(1, len(asked.query))
    given = asked.labels if asked.labels is not None else [None] * len(asked.query)
    labels = [label_of(label, json_labels, most) for label in given]
    marks = service_of(request).config.dialects.end_marks
    items = [item async for item in giving_way(_items(asked, labels, rubric, marks))]
    scored = await score(request, items, run)
    rewards = require_rewards(scored)
    scores = [min(max(reward, 0.0), 1.0) for reward in rewards]
    return {"rewards": rewards, "scores": scores, "extra_logs": _columns(scored)}


def _items(
    asked: RewardRequest, labels: Sequence[JsonValue], rubric: str, end_marks: tuple[str, ...]
) -> Iterator[RawItem]:
    if not len(asked.query) == len(asked.prompts) == len(labels):
        raise RequestError("query, prompts and labels have to be lists of one length", field="query")
    for query, prompt, label in zip(asked.query, asked.prompts, labels, strict=True):
        text = without_end_marks(_response(query, prompt), end_marks)
        yield item_of(rubric, prompt, {"text": text}, label, "openrlhf")


def _response(query: str, prompt: str) -> str:
    """What follows the prompt, which a token that begins every text may precede. Raises RequestError."""
    start = query.find(prompt)
    if start < 0:
        raise RequestError(
            "a query does not contain its prompt, so what the model wrote cannot be told from it",
            field="query",
            hint="OpenRLHF cuts a prompt that is too long for max_len: raise it, or drop long prompts",
        )
    return query[start + len(prompt) :]


def _columns(scored: tuple[ScoredItem, ...]) -> dict[str, list[float]]:
    rows = [contributions(item) for item in scored]
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
