"""What a running service is made of. Built in `app.py`, read by the routes."""

from dataclasses import dataclass

from env_server.config import ServiceConfig
from env_server.engine import Engine
from env_server.idempotency import Replays
from env_server.ledger.reader import LedgerReader
from rewarders.registry import Registry


@dataclass(frozen=True)
class Service:
    """The parts a request needs."""

    config: ServiceConfig
    registry: Registry
    engine: Engine
    replays: Replays
    reader: LedgerReader | None

    @property
    def trouble(self) -> str | None:
        """Why the service cannot score just now, if it cannot."""
        if self.engine.ledger and not self.engine.ledger.alive:
            return "the ledger is not being written any more"
        return self.engine.pool.trouble
