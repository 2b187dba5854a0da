"""What every test may use."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from env_server.app import open_service
from env_server.config import ServiceConfig
from env_server.service import Service

PLUGINS = Path(__file__).parent / "plugins"
ODD_RUBRICS = {
    "length.v1": {"parts": [{"rewarder": "odd.length"}]},
    "echo.v1": {"parts": [{"rewarder": "odd.echo"}]},
    "obeys.v1": {"parts": [{"rewarder": "odd.obeys"}]},
}


@pytest.fixture(scope="session", autouse=True)
def _plugins_are_importable() -> None:
    """In this process and in the worker processes it starts."""
    sys.path.insert(0, str(PLUGINS))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLUGINS), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def odd_config(tmp_path: Path) -> Callable[..., ServiceConfig]:
    """A configuration with the odd rewarders, two workers and a ledger in the test's own folder."""

    def build(**sections: dict[str, Any]) -> ServiceConfig:
        return ServiceConfig.model_validate(
            {
                "plugins": {"load": [], "modules": ["odd_rewarders"], **sections.pop("plugins", {})},
                "workers": {"processes": 2, **sections.pop("workers", {})},
                "ledger": {"data_dir": tmp_path / "data", **sections.pop("ledger", {})},
                "rubrics": ODD_RUBRICS,
                **sections,
            }
        )

    return build


@pytest.fixture
def odd_service(odd_config: Callable[..., ServiceConfig]) -> Callable[..., AbstractAsyncContextManager[Service]]:
    """A real service, workers and ledger included, without HTTP."""

    @asynccontextmanager
    async def opened(**sections: dict[str, Any]) -> AsyncIterator[Service]:
        async with open_service(odd_config(**sections)) as service:
            yield service

    return opened


def item(text: str, rubric: str = "length.v1", reference: Any = None, **more: Any) -> dict[str, Any]:
    """A raw item as a client would send it."""
    task = {"id": "t", "prompt": [{"role": "user", "content": "?"}], "rubric": rubric, "reference": reference}
    return {"task": task, "completion": {"text": text, "finish_reason": "stop"}, **more}
