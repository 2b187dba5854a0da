"""`POST /v1/score`."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from env_server import strict_json
from env_server.routes.bodies import read_body
from env_server.routes.documents import PROBLEM_RESPONSES, SCHEMAS
from env_server.schemas import RawItem, Run, ScoreResponse
from env_server.service import Service
from rewarders.errors import RequestError, TooLarge
from rewarders.registry import unechoed_problem

_PARSE_ASIDE_BYTES = 256 * 1024
"""A longer body is parsed in a thread, so that the event loop goes on serving others."""

router = APIRouter()


@router.post(
    "/v1/score",
    response_model=ScoreResponse,
    responses=PROBLEM_RESPONSES,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}ScoreRequest"}}},
        },
        "parameters": [{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 200}}],
    },
)
async def score(request: Request) -> Response:
    """Score a batch of completions. Each item is answered in its place; a bad one never spoils its neighbours."""
    service: Service = request.app.state.service
    body = await read_body(request, service.config.server)
    items, run = await _read(body, service)
    key = request.headers.get("idempotency-key")
    if key is None:
        answer = await service.engine.score(items, run)
    else:
        answer = await service.replays.answer(key, body, lambda keep: service.engine.score(items, run, keep))
    return Response(answer, media_type="application/json")


async def _read(body: bytes, service: Service) -> tuple[list[RawItem], Run | None]:
    max_values = service.config.server.max_json_values
    if len(body) > _PARSE_ASIDE_BYTES:
        envelope = await asyncio.to_thread(strict_json.parse, body, max_values=max_values)
    else:
        envelope = strict_json.parse(body, max_values=max_values)
    return _open(envelope, service.config.server.max_completions_per_request)


def _open(envelope: Any, most_items: int) -> tuple[list[RawItem], Run | None]:
    """Check the envelope alone; items are validated one by one later."""
    if not isinstance(envelope, dict):
        raise RequestError("the body has to be an object with a field 'items'")
    if envelope.keys() - {"items", "run"}:
        raise RequestError("the body holds a field that is not known", hint="known fields: items, run")
    items = envelope.get("items")
    if not isinstance(items, list):
        raise RequestError("items has to be a list", field="items")
    if len(items) > most_items:
        raise TooLarge(f"the request holds {len(items)} items; at most {most_items} are taken", field="items")
    return items, _run(envelope.get("run"))


def _run(data: Any) -> Run | None:
    if data is None:
        return None
    try:
        return Run.model_validate(data)
    except ValidationError as error:
        field, message = unechoed_problem(error)
        path = f"run.{field}".rstrip(".")
        raise RequestError(f"{path}: {message}", field=path) from None
