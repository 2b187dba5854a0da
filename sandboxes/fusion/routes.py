"""The routes that SandboxFusion's clients call."""

from fastapi import APIRouter, Request, Response

from sandboxes.errors import SandboxFault
from sandboxes.fusion.judging import assignment_of, judge
from sandboxes.fusion.running import error_of, program_of, response_of
from sandboxes.fusion.shapes import RunCodeRequest, RunCodeResponse, SubmitRequest
from sandboxes.service.bodies import read, while_connected
from sandboxes.service.problems import Refusal, refusal_of
from sandboxes.service.server import SandboxServer, json_response, server_of
from sandboxes.wire import Busy

_NOT_SPOKEN = (
    "/run_jupyter",
    "/list_ids",
    "/get_prompts",
    "/get_prompt_by_id",
    "/get_metrics",
    "/get_metrics_function",
)

GATEWAY_TIMEOUT = 504
"""The one status that every client of this dialect tries again."""

router = APIRouter()


@router.get("/v1/ping")
async def ping() -> str:
    """Say that the server is there."""
    return "pong"


@router.get("/list_datasets")
async def list_datasets() -> list[str]:
    """No data set is kept here: `/submit` brings its tests along."""
    return []


@router.post("/run_code")
async def run_code(request: Request) -> Response:
    """Run a program. A failure of ours is a `SandboxError` with status 200, as their clients expect."""
    server = server_of(request)
    sent = await read(request, RunCodeRequest, server.settings.body_s)
    return json_response(await while_connected(request, _run(server, sent)))


@router.post("/submit")
async def submit(request: Request) -> Response:
    """Judge a completion by tests on its standard output. A failure of ours is 503: clients try again."""
    server = server_of(request)
    sent = await read(request, SubmitRequest, server.settings.body_s)
    assignment = assignment_of(sent, server.settings.fusion_most)
    try:
        return json_response(await while_connected(request, judge(server, sent, assignment)))
    except Busy as busy:
        raise refusal_of(busy, GATEWAY_TIMEOUT) from busy


async def _run(server: SandboxServer, sent: RunCodeRequest) -> RunCodeResponse:
    try:
        program = program_of(sent, server.settings.fusion_most)
        result = await server.sandbox.run(program, (sent.stdin or "").encode())
    except Busy as busy:
        raise refusal_of(busy, GATEWAY_TIMEOUT) from busy
    except SandboxFault as fault:
        return error_of(fault)
    return response_of(result, sent, compiled=program.language in server.compiled)


async def _not_spoken() -> None:
    raise Refusal(501, "not_implemented", "this server speaks /run_code and /submit of the dialect, and nothing else")


for _path in _NOT_SPOKEN:
    router.add_api_route(_path, _not_spoken, methods=["POST"])
