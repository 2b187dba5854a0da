"""Which keys a route is for: a dependency of it, so that what is checked is the route that answers."""

from typing import Any

from fastapi import Depends, Request

from env_server.keys.errors import Forbidden
from env_server.principal import Scope, principal_of


def require(request: Request, *scopes: Scope) -> None:
    """Raises Forbidden: the key has none of the scopes."""
    if not principal_of(request).scopes.intersection(scopes):
        raise Forbidden(f"the key has not the scope {' or '.join(sorted(scopes))}")


class Needs:
    """Lets in whose key has one of the scopes."""

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = frozenset(scopes)

    async def __call__(self, request: Request) -> None:
        """Raises Forbidden."""
        require(request, *self.scopes)


def needs(*scopes: Scope) -> Any:
    """For `dependencies` of a route or a router: one of the scopes is enough."""
    return Depends(Needs(*scopes))
