"""What every test may use."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from postgres import Cluster, started_cluster

from env_server.app import open_service
from env_server.config import ServiceConfig
from env_server.service import Service

PLUGINS = Path(__file__).parent / "plugins"
ODD_RUBRICS = {
    "length.v1": {"parts": [{"rewarder": "odd.length"}]},
    "echo.v1": {"parts": [{"rewarder": "odd.echo"}]},
    "hoards.v1": {"parts": [{"rewarder": "odd.hoards"}]},
    "leaks.v1": {"parts": [{"rewarder": "odd.leaks"}]},
    "obeys.v1": {"parts": [{"rewarder": "odd.obeys"}]},
}
ODD_ASYNC_RUBRICS = {
    "waits.v1": {"parts": [{"rewarder": "odd.waits"}]},
    "runs.v1": {"parts": [{"rewarder": "odd.runs"}]},
    "both.v1": {"parts": [{"rewarder": "odd.waits"}, {"rewarder": "odd.length"}]},
}


os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLUGINS), os.environ.get("PYTHONPATH", "")]))
"""Worker processes import the odd rewarders too; this process finds them through pytest's `pythonpath`."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL cluster of the session's own; skips where none is installed."""
    cluster = started_cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def odd_config(tmp_path: Path) -> Callable[..., ServiceConfig]:
    """A configuration with the odd rewarders, two workers and a ledger in the test's own folder."""

    def build(**sections: dict[str, Any]) -> ServiceConfig:
        modules = sections.get("plugins", {}).get("modules", [])
        rubrics = {**ODD_RUBRICS, **(ODD_ASYNC_RUBRICS if "odd_async_rewarders" in modules else {})}
        return ServiceConfig.model_validate(
            {
                "plugins": {"load": [], "modules": ["odd_rewarders"], **sections.pop("plugins", {})},
                "workers": {"processes": 2, **sections.pop("workers", {})},
                "ledger": {"data_dir": tmp_path / "data", **sections.pop("ledger", {})},
                "rubrics": rubrics,
                **sections,
            }
        )

    return build


@pytest.fixture
def odd_service(
    odd_config: Callable[..., ServiceConfig],
) -> Callable[..., AbstractAsyncContextManager[Service]]:
    """A real service, workers and ledger included, without HTTP."""

    @asynccontextmanager
    async def opened(**sections: dict[str, Any]) -> AsyncIterator[Service]:
        async with open_service(odd_config(**sections)) as service:
            yield service

    return opened
