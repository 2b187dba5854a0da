"""`POST /v1/score`."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from fastapi import APIRouter, Request, Response

from env_server.engine import KeepReply
from env_server.envelope import open_and_check, open_envelope
from env_server.idempotency import HEADER, key_of
from env_server.keys.scopes import needs
from env_server.principal import Scope
from env_server.routes.bodies import lose_patience, read_as
from env_server.routes.documents import PROBLEM_RESPONSES, SCHEMAS
from env_server.routes.streaming import LINES_RESPONSE, answer_in_lines, wants_lines
from env_server.schemas import ReadItem, ScoreResponse, refused_items
from env_server.service import service_of
from env_server.terms import TERMS_PARAMETERS, terms_of

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
        most = service.config.server.max_completions_per_request
        opened, checked = (partial(how, most_items=most) for how in (open_envelope, open_and_check))
        (items, run, explain), digest = await read_as(request, opened, aside=checked)

        async def score(
            some: Sequence[ReadItem], *, places: Sequence[int] | None = None, keep: KeepReply | None = None
        ) -> bytes:
            with admitted.paying(len(some)):
                answer = await service.engine.score(some, run, keep, places=places, explain=explain, terms=terms)
            lose_patience(request, refused_items(answer))
            return answer

        if wants_lines(request):
            return await answer_in_lines(request, items, score, digest, held)
        if key is None:
            answer = await score(items)
        else:
            tenant = terms.principal.tenant
            answer = await service.replays.answer(key, digest(), lambda keep: score(items, keep=keep), tenant=tenant)
    return Response(answer, media_type="application/json")
