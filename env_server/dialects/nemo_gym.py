"""NeMo Gym's resources server: `/verify`, and what its agents and its collector ask beside it.

NeMo RL stops a run whose `reward_components` do not add up to the reward: ours do, exactly. The protocol has no word
for `unscored`; the marks that keep a row out of training and metrics have to do (`[dialects] nemo_gym_unscored`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field, JsonValue

from env_server.dialects.asking import (
    Foreign,
    JsonLabels,
    RunName,
    begins,
    documented_asking,
    read,
    require_feasible,
    require_rewards,
    require_rubric,
    score,
)
from env_server.dialects.translation import component_names, contributions, fault_of, item_of, label_of, spoken, text_of
from env_server.keys.scopes import needs
from env_server.principal import Scope
from env_server.routes.documents import PROBLEM_RESPONSES, documented
from env_server.schemas import ScoredItem
from env_server.service import service_of

router = APIRouter(prefix="/nemo-gym/{rubric}", responses=PROBLEM_RESPONSES, dependencies=[needs(Scope.SCORE), begins])

_LABELS = ("verifier_metadata", "expected_answer", "answer")
_OURS = ("reward", "reward_components", "mask_sample", "failure_kind", "failure_reason", "assay_record_id")
"""Fields of an earlier verdict; a row that is verified again must not keep them."""
_JUDGED = {"JudgeFault", "ModelFault"}
_KINDS = ("judge_failed", "verifier_error")

LabelField = Annotated[str | None, Query(alias="label", min_length=1, max_length=200)]


class CreateParams(Foreign):
    """What the model was asked, as OpenAI's Responses API has it."""

    input: str | list[dict[str, JsonValue]] = ""
    instructions: str | None = None


class Incomplete(Foreign):
    """Why a response ended early."""

    reason: str | None = None


class Response(Foreign):
    """What the model answered, as OpenAI's Responses API has it."""

    output: list[dict[str, JsonValue]]
    incomplete_details: Incomplete | None = None


class VerifyRequest(Foreign):
    """A row of the data set with the response to it; the row's own fields lie beside these two."""

    responses_create_params: CreateParams
    response: Response


class Verified(Foreign):
    """A row that `/verify` answered, as far as a mean needs it."""

    reward: float | None = None
    mask_sample: bool = False
    failure: JsonValue = Field(default=None, alias="_ng_failure_class")

    @property
    def counts(self) -> bool:
        """Whether the reward is one."""
        return not self.mask_sample and self.failure is None


class AggregateRequest(Foreign):
    """Rows that `/verify` answered."""

    verify_responses: list[Verified]


class SeedRequest(Foreign):
    """The beginning of a rollout."""

    resources_session_id: str | None = None


@router.post("/verify", openapi_extra=documented_asking(VerifyRequest))
async def verify(
    request: Request, rubric: str, label: LabelField = None, json_labels: JsonLabels = False, run: RunName = None
) -> dict[str, Any]:
    """The row with its reward. Its reference is the field `label`, or the first it has of `verifier_metadata`,
    `expected_answer` and `answer`."""
    asked, row = await read(request, VerifyRequest)
    require_feasible(request, rubric, 1)
    named = (label,) if label else _LABELS
    reference = next((row[field] for field in named if row.get(field) is not None), None)
    prompt = list(_prompt(asked.responses_create_params)) or None
    item = item_of(rubric, prompt, _completion(asked.response), label_of(reference, json_labels), "nemo-gym")
    (scored,) = await score(request, [item], run)
    if service_of(request).config.dialects.nemo_gym_unscored == "refuse":
        require_rewards([scored])
    kept = _without_verdict(row)
    verdict = _unscored(scored, kept) if scored.reward is None else _scored(scored, scored.reward)
    return {**kept, **verdict, "assay_record_id": scored.record_id}


@router.post("/seed_session", openapi_extra=documented(SeedRequest))
async def seed_session(request: Request, rubric: str) -> dict[str, str]:
    """Nothing is kept for a rollout; that there is no such rubric shows before it begins."""
    require_rubric(service_of(request), rubric)
    asked, _ = await read(request, SeedRequest)
    return {"resources_session_id": asked.resources_session_id} if asked.resources_session_id else {}


@router.post("/aggregate_metrics", openapi_extra=documented(AggregateRequest))
async def aggregate_metrics(request: Request, rubric: str) -> dict[str, Any]:
    """Mean reward of the rows that have one; those that were left unscored are counted and not averaged."""
    asked, _ = await read(request, AggregateRequest)
    rewards = [row.reward for row in asked.verify_responses if row.counts and row.reward is not None]
    unscored = len(asked.verify_responses) - len(rewards)
    mean = math.fsum(reward / len(rewards) for reward in rewards) if rewards else None  # no sum can overflow
    metrics = {"mean/reward": mean, "count": len(rewards), "unscored": unscored}
    return {"group_level_metrics": [], "agent_metrics": metrics, "key_metrics": {"mean/reward": mean}}


@router.get("/reverify_mode")
async def reverify_mode(rubric: str) -> str:
    """A row may be verified again at any time: everything that counts is in it."""
    return "stateless"


def _prompt(asked: CreateParams) -> Iterator[dict[str, Any]]:
    if asked.instructions:
        yield {"role": "system", "content": asked.instructions}
    yield from _turns([{"role": "user", "content": asked.input}] if isinstance(asked.input, str) else asked.input)


def _completion(response: Response) -> dict[str, Any]:
    cut = response.incomplete_details is not None and response.incomplete_details.reason == "max_output_tokens"
    return {**spoken(list(_turns(response.output))), "finish_reason": "length" if cut else "stop"}


def _turns(items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Items of the Responses API as messages; kinds that hold no text are left out."""
    for item in items:
        match item.get("type", "message"):
            case "message":
                yield {"role": item.get("role", "assistant"), "content": _text(item.get("content"))}
            case "reasoning":
                thought = _text(item.get("content")) or _text(item.get("summary"))
                yield {"role": "assistant", "name": "reasoning", "content": thought}
            case "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments")}
                call = {"id": item.get("call_id"), "type": "function", "function": function}
                yield {"role": "assistant", "tool_calls": [call]}
            case "function_call_output":
                yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": _text(item.get("output"))}


def _text(content: Any) -> str:
    return "".join(text_of(part) for part in content) if isinstance(content, list) else text_of(content)


def _without_verdict(row: dict[str, Any]) -> dict[str, Any]:
    """The row without what an earlier verification said of it; what an agent masked stays masked."""
    kept = {key: one for key, one in row.items() if key not in _OURS and not key.startswith(("_ng_failure_", "score/"))}
    config = row.get("instance_config")
    if row.get("_ng_failure_class") in _KINDS and isinstance(config, dict):
        kept["instance_config"] = {key: one for key, one in config.items() if key != "mask_sample"}
    return kept


def _scored(item: ScoredItem, reward: float) -> dict[str, Any]:
    names = component_names([part.rewarder for part in item.components])
    said = zip(names, item.components, strict=True)
    scores = {f"score/{name}": part.verdict.score for name, part in said if part.verdict}
    return {**scores, "reward": reward, "reward_components": contributions(item), "mask_sample": False}


def _unscored(item: ScoredItem, row: Mapping[str, Any]) -> dict[str, Any]:
    """Every mark that a version of NeMo Gym or NeMo RL is known to look for."""
    kind = _KINDS[0] if item.fault and item.fault.kind in _JUDGED else _KINDS[1]
    config = row.get("instance_config")
    return {
        "reward": 0.0,
        "reward_components": dict.fromkeys(contributions(item), 0.0),
        "mask_sample": True,
        "instance_config": {**(config if isinstance(config, dict) else {}), "mask_sample": True},
        "failure_kind": kind,
        "failure_reason": fault_of(item),
        "_ng_failure_class": kind,
        "_ng_failure_judge_error": fault_of(item),
    }
