"""What a sandbox server is made of: built once, read by every route."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request, Response
from pydantic import BaseModel

from sandboxes.errors import SandboxMisconfigured
from sandboxes.policy import Policy
from sandboxes.service.leases import Leases
from sandboxes.service.paced import PacedSandbox
from sandboxes.service.settings import ServiceSettings
from sandboxes.types import Sandbox
from sandboxes.wire import Offer, Policies


class Backend(Sandbox, Protocol):
    """A sandbox that has to be started, and that says which languages it knows."""

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The languages, whether they can run there or not."""
        ...

    async def start(self) -> None:
        """Get ready, and try the isolation out. Raises SandboxFault."""
        ...


@dataclass(frozen=True)
class SandboxServer:
    """What the routes share."""

    settings: ServiceSettings
    sandbox: PacedSandbox
    leases: Leases
    policies: Policies
    compiled: frozenset[str]
    """Languages with a compiler."""


def build_server(backend: Backend, settings: ServiceSettings) -> SandboxServer:
    """Put a server around a backend that has been started. Probes every toolchain: takes seconds, and blocks."""
    sandbox = PacedSandbox(
        backend, parallel=settings.parallel, most_open=settings.most_open, wait_s=settings.turn_s
    )  # fmt: skip
    tables = {name: policy.table for name, policy in backend.policies.items()}
    compile_s = max((table.compile.wall_s for table in tables.values() if table.compile), default=0.0)
    policies = Policies(
        backend=backend.backend,
        languages={name: _offer(backend, name) for name in backend.policies},
        overhead_s=settings.overhead_s(compile_s),
    )
    compiled = frozenset(name for name, table in tables.items() if table.compile)
    return SandboxServer(settings, sandbox, Leases(sandbox, settings.idle_s), policies, compiled)


def server_of(request: Request) -> SandboxServer:
    """The server that a request came to."""
    server: SandboxServer = request.app.state.server
    return server


def json_response(model: BaseModel, status: int = 200) -> Response:
    """A model as the answer."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


def _offer(backend: Backend, language: str) -> Offer:
    try:
        digest, version = backend.policy_digest(language), backend.policies[language].version
    except SandboxMisconfigured as missing:
        return Offer(missing=str(missing))
    return Offer(policy_digest=digest, version=version)
