"""From the bytes of a request to a model, and no further than the client is there to hear the answer."""

import asyncio
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from sandboxes.service.problems import Refusal

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


async def read(request: Request, model: type[M], within_s: float) -> M:
    """The body as a model.

    Raises:
        Refusal: it is no JSON (415), does not arrive within `within_s` (408), or is not what the model asks for (422).
            The message names the field and the rule; it does not repeat what was sent.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise Refusal(415, "unsupported_media_type", "the body has to be application/json")
    try:
        async with asyncio.timeout(within_s):
            body = await request.body()
    except TimeoutError:
        raise Refusal(408, "request_timeout", f"the body did not arrive within {within_s:g} s") from None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error, model) from None


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of `work`, which is cancelled, and lets go of all it holds, when the client goes away.

    Raises:
        ClientDisconnect: the client went away first.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _invalid(error: ValidationError, model: type[BaseModel]) -> Refusal:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field = _known_part(first["loc"], model)
    return Refusal(422, "invalid", f"{field or 'the body'}: {first['msg']}", field=field)


def _known_part(path: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """The path up to where it holds names that the caller chose."""
    known = []
    for part in path:
        if isinstance(part, str) and part not in _field_names(model):
            break
        known.append(str(part))
    return ".".join(known)


@cache
def _field_names(model: type[BaseModel]) -> frozenset[str]:
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))
