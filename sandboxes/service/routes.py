"""The routes under `/v1`: the methods of `Sandbox` and `Submission`, one address each."""

from fastapi import APIRouter, Request, Response

from sandboxes.errors import SandboxLost
from sandboxes.service.bodies import read, while_connected
from sandboxes.service.leases import Lease
from sandboxes.service.problems import refusal_of
from sandboxes.service.server import SandboxServer, json_response, server_of
from sandboxes.wire import LinkedRequest, LinkedResults, Opened, Parcel, RunRequest, StdinRequest

router = APIRouter(prefix="/v1")


@router.get("/policies")
async def policies(request: Request) -> Response:
    """The languages: digest and version of each, or why it is missing."""
    return json_response(server_of(request).policies)


@router.post("/run")
async def run(request: Request) -> Response:
    """Open, run once, close."""
    server = server_of(request)
    sent = await read(request, RunRequest, server.settings.body_s)
    return json_response(await while_connected(request, server.sandbox.run(sent.unpacked(), sent.stdin)))


@router.post("/run-linked")
async def run_linked(request: Request) -> Response:
    """Run two programs with a socket between them."""
    server = server_of(request)
    sent = await read(request, LinkedRequest, server.settings.body_s)
    running = server.sandbox.run_linked(sent.judge.unpacked(), sent.candidate.unpacked())
    judge, candidate = await while_connected(request, running)
    return json_response(LinkedResults(judge=judge, candidate=candidate))


@router.post("/submissions")
async def open_submission(request: Request) -> Response:
    """Open a submission; it has to be run now and then, or it is closed."""
    server = server_of(request)
    sent = await read(request, Parcel, server.settings.body_s)
    ident = await while_connected(request, server.leases.open(sent.unpacked()))
    return json_response(Opened(id=ident, idle_s=server.settings.idle_s), status=201)


@router.post("/submissions/{ident}/run")
async def run_submission(request: Request, ident: str) -> Response:
    """Run an open submission once."""
    server = server_of(request)
    sent = await read(request, StdinRequest, server.settings.body_s)
    return json_response(await while_connected(request, _lease(server, ident).run(sent.stdin)))


@router.delete("/submissions/{ident}")
async def close_submission(request: Request, ident: str) -> Response:
    """Close a submission. One that is closed already is no error."""
    await server_of(request).leases.end(ident)
    return Response(status_code=204)


def _lease(server: SandboxServer, ident: str) -> Lease:
    lease = server.leases.get(ident)
    if lease is None:
        lost = SandboxLost(f"no such submission; one that is not run for {server.leases.idle_s:g} s is closed")
        raise refusal_of(lost, 404)
    return lease
