"""On what terms a request is served: for whom, how long it may take, and whom it lets pass."""

import re
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from starlette.requests import HTTPConnection

from env_server.principal import ANYONE, Principal, principal_of
from rewarders.errors import RequestError

DEADLINE_HEADER = "X-Assay-Deadline-S"
PRIORITY_HEADER = "X-Assay-Priority"
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class Priority(IntEnum):
    """Who is served first where jobs have to wait. The smaller, the sooner."""

    INTERACTIVE = 0
    """Somebody looks on."""
    NORMAL = 1
    """A training step waits."""
    BACKGROUND = 2
    """Nobody waits: evaluations, replays."""


TERMS_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": DEADLINE_HEADER, "in": "header",
        "schema": {"type": "string", "pattern": r"^(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,9})?$"},
        "description": "Seconds from the arrival of the request. What is not done by then is left unscored.",
    },
    {
        "name": PRIORITY_HEADER, "in": "header",
        "schema": {"type": "string", "enum": [priority.name.lower() for priority in Priority], "default": "normal"},
        "description": "Who is served first where jobs have to wait.",
    },
]  # fmt: skip
"""Of the routes that read them, for the OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one request."""

    principal: Principal = ANYONE
    """Who asks."""
    deadline: float | None = None
    """When the client's patience ends, on `time.monotonic`'s clock; None where it does not say."""
    priority: Priority = Priority.NORMAL

    @property
    def left_s(self) -> float | None:
        """How much of its patience is left; negative once there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()


STANDARD = Terms()
"""Of a service that is used without HTTP."""


def terms_of(connection: HTTPConnection) -> Terms:
    """The terms of a request that has just arrived: a deadline counts from this call.

    Raises:
        RequestError: a header is there twice, or says what nobody can keep to.
    """
    return Terms(principal_of(connection), _deadline(connection), _priority(connection))


def _deadline(connection: HTTPConnection) -> float | None:
    given = single_header(connection, DEADLINE_HEADER)
    if given is None:
        return None
    if not _SECONDS.fullmatch(given) or not float(given):
        raise RequestError(f"{DEADLINE_HEADER} has to be a number of seconds over 0, as in 2.5", field=DEADLINE_HEADER)
    return time.monotonic() + float(given)


def _priority(connection: HTTPConnection) -> Priority:
    given = single_header(connection, PRIORITY_HEADER)
    names = {priority.name.lower(): priority for priority in Priority}
    if given is not None and given not in names:
        raise RequestError(f"{PRIORITY_HEADER} has to be one of {', '.join(names)}", field=PRIORITY_HEADER)
    return Priority.NORMAL if given is None else names[given]


def single_header(connection: HTTPConnection, name: str) -> str | None:
    """The header, if it was sent. Raises RequestError: it was sent more than once."""
    given = connection.headers.getlist(name)
    if len(given) > 1:
        raise RequestError(f"{name} is given {len(given)} times", field=name)
    return given[0] if given else None
