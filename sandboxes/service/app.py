"""Puts the server's routes together."""

from fastapi import FastAPI, Request

from sandboxes.fusion import routes as fusion
from sandboxes.service import problems, routes
from sandboxes.service.door import Door
from sandboxes.service.server import SandboxServer, server_of


def create_app(server: SandboxServer) -> FastAPI:
    """The HTTP face of a server."""
    app = FastAPI(title="Assay sandbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.server = server
    app.add_middleware(Door, settings=server.settings)
    problems.install(app)
    app.include_router(routes.router)
    app.include_router(fusion.router)
    app.add_api_route("/healthz", _healthz)
    return app


async def _healthz(request: Request) -> dict[str, str | int]:
    server = server_of(request)
    return {"status": "ok", "backend": server.sandbox.backend, "submissions": len(server.leases)}
