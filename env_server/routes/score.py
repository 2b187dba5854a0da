"""`POST /v1/score`."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from env_server.engine import KeepReply
from env_server.idempotency import HEADER, key_of
from env_server.keys.scopes import needs
from env_server.principal import Scope
from env_server.routes.bodies import parse_body, read_body
from env_server.routes.documents import PROBLEM_RESPONSES, SCHEMAS
from env_server.routes.streaming import LINES_RESPONSE, answer_in_lines, wants_lines
from env_server.schemas import RawItem, Run, ScoreRequest, ScoreResponse
from env_server.service import Service, service_of
from env_server.terms import TERMS_PARAMETERS, terms_of
from rewarders.errors import RequestError, TooLarge
from rewarders.registry import unechoed_problem

router = APIRouter(dependencies=[needs(Scope.SCORE)])


@router.post(
    "/v1/score",
    response_model=ScoreResponse,
    responses=PROBLEM_RESPONSES | LINES_RESPONSE,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}ScoreRequest"}}},
        },
        "parameters": [
            {"name": HEADER, "in": "header", "schema": {"type": "string", "maxLength": 200}},
            *TERMS_PARAMETERS,
        ],
    },
)
async def score(request: Request) -> Response:
    """Score a batch of completions. Each item is answered in its place; a bad one never spoils its neighbours."""
    service, terms = service_of(request), terms_of(request)
    key = key_of(request)
    with ExitStack() as held:
        admitted = held.enter_context(service.admission.admitted(terms.principal))
        body = await read_body(request, service.config.server)
        items, run, explain = await _read(body, service)

        async def score(some: Sequence[RawItem], *, keep: KeepReply | None = None) -> bytes:
            with admitted.paying(len(some)):
                return await service.engine.score(some, run, keep, explain=explain, terms=terms)

        if wants_lines(request):
            return await answer_in_lines(request, items, score, body, held)
        if key is None:
            answer = await score(items)
        else:
            tenant = terms.principal.tenant
            answer = await service.replays.answer(key, body, lambda keep: score(items, keep=keep), tenant=tenant)
    return Response(answer, media_type="application/json")


async def _read(body: bytes, service: Service) -> tuple[list[RawItem], Run | None, bool]:
    envelope = await parse_body(body, service.config.server)
    return _open(envelope, service.config.server.max_completions_per_request)


def _open(envelope: Any, most_items: int) -> tuple[list[RawItem], Run | None, bool]:
    """Check the envelope alone; items are validated one by one later."""
    if not isinstance(envelope, dict):
        raise RequestError("the body has to be an object with a field 'items'")
    if envelope.keys() - ScoreRequest.model_fields.keys():
        known = ", ".join(ScoreRequest.model_fields)
        raise RequestError("the body holds a field that is not known", hint=f"known fields: {known}")
    items = envelope.get("items")
    if not isinstance(items, list):
        raise RequestError("items has to be a list", field="items")
    if len(items) > most_items:
        raise TooLarge(f"the request holds {len(items)} items; at most {most_items} are taken", field="items")
    explain = envelope.get("explain", False)
    if not isinstance(explain, bool):
        raise RequestError("explain has to be true or false", field="explain")
    return items, _run(envelope.get("run")), explain


def _run(data: Any) -> Run | None:
    if data is None:
        return None
    try:
        return Run.model_validate(data)
    except ValidationError as error:
        field, message = unechoed_problem(error)
        path = f"run.{field}".rstrip(".")
        raise RequestError(f"{path}: {message}", field=path) from None
