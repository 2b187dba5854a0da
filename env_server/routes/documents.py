"""What the service's documents look like: problem documents, and the OpenAPI description."""

import math
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from env_server.problems import MEDIA_TYPE, http_problem, problem_of
from env_server.routes.bodies import lose_patience
from env_server.schemas import Problem, ScoreRequest
from rewarders.errors import AssayError, Overloaded, QuotaExceeded, RequestError

SCHEMAS = "#/components/schemas/"
_STILL_RUNNING_S = 1
"""A request that came again while the first is being answered: a few are done by then, and asking costs little."""
_STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 422, 429, 500, 503)
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "A problem document",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }
    for status in _STATUSES
}


class DocumentedApp(FastAPI):
    """Adds to the OpenAPI document the bodies that FastAPI does not parse itself."""

    def openapi(self) -> dict[str, Any]:
        """The document, with the request of `POST /v1/score` among its schemas."""
        document = super().openapi()
        request = ScoreRequest.model_json_schema(ref_template=SCHEMAS + "{model}")
        document["components"]["schemas"] |= {**request.pop("$defs", {}), "ScoreRequest": request}
        if self.state.service.keys:
            document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}]
        return document


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    app.add_exception_handler(AssayError, _on_assay_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameters)
    app.add_exception_handler(Exception, _on_anything_else)


async def _on_assay_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AssayError)
    if isinstance(error, RequestError):
        lose_patience(request, 1)
    return document_of(error)


def document_of(error: AssayError) -> Response:
    """The problem document of an error of ours, as an answer."""
    problem = problem_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, Overloaded | QuotaExceeded):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if problem.status == 409:
        headers["Retry-After"] = str(_STILL_RUNNING_S)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _document(problem, headers)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = "there is nothing at this address" if error.status_code == 404 else "the request cannot be served"
    return _document(http_problem(error.status_code, detail), dict(error.headers or {}))


async def _on_invalid_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":  # its name is the sender's
        return _document(http_problem(422, "the address has a parameter that is not known"), {})
    field = str(first["loc"][1])
    problem = http_problem(422, f"the parameter {field} of the address is not valid")
    return _document(problem.model_copy(update={"field": field}), {})


async def _on_anything_else(_: Request, __: Exception) -> Response:
    return _document(http_problem(500, "the service failed; its log says how"), {})


def _document(problem: Problem, headers: dict[str, str]) -> Response:
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def documented(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """What OpenAPI says of a route whose body we read ourselves."""
    schema = model.model_json_schema()
    described = _spelled_out(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": described}}}}


def _spelled_out(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with each reference replaced by what it stands for; none of ours holds itself."""
    if isinstance(schema, list):
        return [_spelled_out(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    known = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    return {key: _spelled_out(value, definitions) for key, value in {**known, **schema}.items() if key != "$ref"}
