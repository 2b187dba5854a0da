"""What a running service is made of. Built in `app.py`, read by the routes."""

from dataclasses import dataclass, field
from functools import partial

from fastapi import Request

from env_server.admission import Admission
from env_server.body_reader import BodyReader
from env_server.config import ServiceConfig
from env_server.draining import STOPPING, Drain
from env_server.engine import Engine
from env_server.idempotency import Replays
from env_server.keys.ring import KeyRing
from env_server.ledger.reader import LedgerReader
from env_server.observing.metrics import Metrics
from env_server.observing.polling import Poll
from env_server.patience import Patience
from env_server.sandbox_keeper import SandboxKeeper
from rewarders.registry import Registry


@dataclass(frozen=True)
class Service:
    """The parts a request needs."""

    config: ServiceConfig
    registry: Registry
    engine: Engine
    sandbox: SandboxKeeper
    replays: Replays
    reader: LedgerReader | None
    metrics: Metrics
    poll: Poll
    drain: Drain = field(default_factory=Drain)
    keys: KeyRing | None = None
    """None where the service asks for none."""
    admission: Admission = field(default_factory=Admission)
    large_bodies: BodyReader = field(default_factory=partial(BodyReader, 0))
    doubted_bodies: BodyReader = field(default_factory=partial(BodyReader, 10, rest=6.0))
    """Of those with whom there is no patience left."""
    patience: Patience = field(default_factory=Patience)

    @property
    def trouble(self) -> str | None:
        """Why the service cannot score just now, if it cannot."""
        if self.drain.began:
            return STOPPING
        if self.engine.ledger and (trouble := self.engine.ledger.trouble):
            return trouble
        return self.engine.pool.trouble or self.engine.calls.trouble

    @property
    def limitation(self) -> str | None:
        """What the service cannot do just now although it scores the rest, if there is anything."""
        trouble = self.sandbox.trouble if self.engine.rubrics.has_async_parts else None
        programs = f"tasks whose rewarders run programs are left unscored: {trouble}" if trouble else None
        published = self.engine.ledger.limitation if self.engine.ledger else None
        return "; ".join(filter(None, (programs, self.engine.pool.limitation, published))) or None


def service_of(request: Request) -> Service:
    """The service that a request was sent to."""
    service: Service = request.app.state.service
    return service
