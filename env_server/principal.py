"""Who asks: found out once, by the middleware that reads the key, and handed down with the request."""

from dataclasses import dataclass, field
from enum import StrEnum

from starlette.requests import HTTPConnection


class Scope(StrEnum):
    """What a key is good for."""

    SCORE = "score"
    """Ask for rewards, and for what there is to ask."""
    READ = "read"
    """Records, their bodies and their proofs."""
    WRITE = "write"
    """Corrections, labels and replays: new records that point at old ones."""
    ADMIN = "admin"
    """What concerns every tenant: metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """How much one key may ask for; None is no limit of its own."""

    items_per_s: float | None = None
    requests_at_once: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whom a key belongs to."""

    tenant: str | None = None
    """Whose records it writes and sees; None where the service has no keys, and sees all."""
    key_id: str | None = None
    """Names the key in logs and limits; not its secret."""
    family: str | None = None
    """The keys that share its limits, if it was rotated."""
    scopes: frozenset[Scope] = frozenset(Scope)
    limits: KeyLimits = field(default_factory=KeyLimits)

    @property
    def account(self) -> str | None:
        """Whose limits count. Whoever was given a new key for an old one has not two accounts while both count."""
        return self.family or self.key_id


ANYONE = Principal()
"""Of a service without keys, which listens on loopback alone."""


def principal_of(connection: HTTPConnection) -> Principal:
    """Who sent this request."""
    principal: Principal = getattr(connection.state, "principal", ANYONE)
    return principal
