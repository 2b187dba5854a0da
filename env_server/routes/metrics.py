"""`GET /metrics`, for Prometheus."""

import asyncio

from fastapi import APIRouter, Request, Response

from env_server.keys.scopes import needs
from env_server.observing.exposition import CONTENT_TYPE, exposition
from env_server.principal import Scope
from env_server.routes.documents import PROBLEM_RESPONSES
from env_server.service import service_of

router = APIRouter(responses=PROBLEM_RESPONSES, dependencies=[needs(Scope.ADMIN)])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Everything that is counted, in Prometheus' text format; of all server processes where there are several."""
    service = service_of(request)
    service.poll.refresh(service)
    body = await asyncio.to_thread(exposition, service.metrics.registry)
    return Response(body, headers={"content-type": CONTENT_TYPE})
