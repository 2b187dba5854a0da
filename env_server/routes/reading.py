"""What the service is and what it has recorded: everything that only reads."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from env_server.explaining import explained_record
from env_server.keys.scopes import needs
from env_server.observing.polling import condition
from env_server.principal import Scope, principal_of
from env_server.routes.documents import PROBLEM_RESPONSES
from env_server.service import Service, service_of
from rewarders.errors import NotFound, Unavailable

router = APIRouter(responses=PROBLEM_RESPONSES)
_ASKERS = [needs(Scope.SCORE, Scope.READ)]
_WITHOUT_KEY: dict[str, Any] = {"security": []}


@router.get("/v1/rewarders", dependencies=_ASKERS)
async def rewarders(request: Request) -> dict[str, list[dict[str, Any]]]:
    """Every rewarder that is loaded."""
    return {"rewarders": [spec.describe() for spec in service_of(request).registry]}


@router.get("/v1/plugins", dependencies=_ASKERS)
async def plugins(request: Request) -> dict[str, list[dict[str, Any]]]:
    """The isolated plug-ins: what each offers, and what is wrong with it; for the operator, how often it failed."""
    pools, counts = service_of(request).engine.pool.isolated.values(), _is_operator(request)
    return {"plugins": [pool.describe(counts=counts) for pool in pools]}


@router.get("/v1/rubrics", dependencies=_ASKERS)
async def rubrics(request: Request) -> dict[str, list[dict[str, Any]]]:
    """Every rubric a task may name."""
    return {"rubrics": service_of(request).engine.rubrics.describe()}


@router.get("/v1/records/{record_id}", dependencies=[needs(Scope.READ)])
async def record(request: Request, record_id: str) -> JSONResponse:
    """One record of the ledger, with its place in the chain, and a sentence that explains its reward."""
    reader = service_of(request).reader
    tenant = principal_of(request).tenant
    found = await reader.aside(explained_record, reader, record_id, tenant) if reader else None
    if found is None:
        raise NotFound("there is no such record")
    return JSONResponse(found)


@router.get("/healthz", openapi_extra=_WITHOUT_KEY)
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", openapi_extra=_WITHOUT_KEY)
async def readyz(request: Request) -> Response:
    """The service can score: its workers can be started and its ledger can be written.

    `limitation` says what it cannot do nevertheless, such as running programs without a sandbox. Where there are keys,
    whoever brings none is told yes or no, and queues are shown to the operator alone.
    """
    service = service_of(request)
    if not principal_of(request).scopes:
        return _yes_or_no(service)
    if service.trouble:
        raise Unavailable(service.trouble)
    ready: dict[str, Any] = {"status": "ready", "rewarders": len(service.registry)}
    if _is_operator(request):
        ready |= condition(service)
    return JSONResponse({**ready, "limitation": service.limitation} if service.limitation else ready)


def _is_operator(request: Request) -> bool:
    """What counts everybody's requests is none of one tenant's business."""
    return Scope.ADMIN in principal_of(request).scopes


def _yes_or_no(service: Service) -> Response:
    if service.trouble:
        raise Unavailable("the service cannot score just now", hint="ask with a key for the reason")
    return JSONResponse({"status": "ready"})
