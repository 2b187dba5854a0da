"""A real service to be hurt, with keys and without."""

import os
from collections.abc import Iterator

import httpx
import pytest
from keyed_server import KEYED, make_key
from odd_server import LENGTH_ECHO_OBEYS
from targets import Target

from trainer.server import spawned_server

CONFIG = f"""
[server]
max_body_bytes = 4_000_000
body_timeout_s = 2
[plugins]
load = ["assay"]
modules = ["odd_rewarders"]
[workers]
processes = 2
{LENGTH_ECHO_OBEYS}"""


@pytest.fixture(scope="module", params=["open", "keyed"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One service for a module, then another that asks for keys."""
    folder, keyed = tmp_path_factory.mktemp("bad-input"), request.param == "keyed"
    config = folder / "server.toml"
    config.write_text(CONFIG + (KEYED if keyed else ""))
    headers = {"authorization": f"Bearer {make_key(folder / 'data', 'acme')}"} if keyed else {}
    with (
        spawned_server(folder / "data", config) as url,
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
    ):
        yield Target(url, headers, client, folder / "data")


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell holds is not for these services."""
    for name in ("ASSAY_KEY", "ASSAY_KEY_FILE"):
        if name in os.environ:
            monkeypatch.delenv(name)
