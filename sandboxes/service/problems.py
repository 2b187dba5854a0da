"""Every error of the server as a problem document (RFC 9457) that never repeats what was sent."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from sandboxes.errors import SandboxFault
from sandboxes.wire import FAULTS, PROBLEM_MEDIA_TYPE, Problem

_RETRY_AFTER_S = 1
_TYPE = "urn:assay:sandbox:problem:"


class Refusal(Exception):
    """A request that is not served as it is."""

    def __init__(self, status: int, code: str, detail: str, *, field: str = "", retryable: bool = False) -> None:
        """Name the HTTP status, a short code, what is wrong and what to do, and the field that it is about."""
        super().__init__(detail)
        self.problem = Problem(
            type=_TYPE + code, title=code.replace("_", " "), status=status, detail=detail, code=code,
            retryable=retryable, field=field or None,
        )  # fmt: skip


def answer(refusal: Refusal) -> Response:
    """The response of a refusal."""
    problem = refusal.problem
    headers = {"Retry-After": str(_RETRY_AFTER_S)} if problem.code == "busy" else {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


def refusal_of(fault: SandboxFault, status: int = 503) -> Refusal:
    """A fault of the sandbox, to be raised again by the client as what it is."""
    code = next((code for code, kind in FAULTS.items() if isinstance(fault, kind)), "lost")
    return Refusal(status, code, str(fault), retryable=fault.retryable)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(SandboxFault, _on_fault)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameters)
    app.add_exception_handler(ClientDisconnect, _on_client_gone)
    app.add_exception_handler(Exception, _on_anything_else)


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return answer(error)


async def _on_fault(_: Request, error: Exception) -> Response:
    assert isinstance(error, SandboxFault)
    return answer(refusal_of(error))


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    return answer(Refusal(error.status_code, phrase.lower().replace(" ", "_"), f"{phrase}; see docs/sandboxes.md"))


async def _on_invalid_parameters(_: Request, __: Exception) -> Response:
    return answer(Refusal(422, "invalid_parameter", "a parameter of the address is not valid"))


async def _on_client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _on_anything_else(_: Request, __: Exception) -> Response:
    return answer(Refusal(500, "internal_error", "the sandbox server failed; its log says how"))
