"""A place among the requests that one key may have under way: taken before the body is read, kept until the answer."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from env_server.admission import Admitted
from env_server.principal import principal_of
from env_server.service import service_of


async def _place(request: Request) -> AsyncIterator[Admitted]:
    """Raises QuotaExceeded."""
    with service_of(request).admission.admitted(principal_of(request)) as admitted:
        yield admitted


Place = Annotated[Admitted, Depends(_place)]
"""Of a route: its request has one, and pays for what it has scored."""
