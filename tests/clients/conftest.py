"""Other trainers' own client code. `make test` runs these in .venv-clients; without it, every test here says so."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

SERVER = """
[plugins]
load = ["assay"]
modules = ["odd_rewarders"]
[workers]
processes = 1
[rubrics."length.v1"]
parts = [{ rewarder = "odd.length" }]
[rubrics."obeys.v1"]
parts = [{ rewarder = "odd.obeys" }]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = pytest.mark.skip("there is no verl here: `make test` runs these in .venv-clients, where it is")
    for item in items:
        if find_spec("verl") is None and Path(__file__).parent in item.path.parents:
            item.add_marker(absent)


@contextmanager
def serving(folder: Path, toml: str) -> Iterator[str]:
    """Where a service listens while this lasts."""
    (folder / "server.toml").write_text(toml)
    command = [sys.executable, "-m", "env_server", "serve", "--json", "--port", "0"]
    command += ["--config", str(folder / "server.toml"), "--data-dir", str(folder / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
        server.terminate()


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a live service listens."""
    with serving(tmp_path_factory.mktemp("server"), SERVER) as address:
        yield address


@pytest.fixture
def refusing_url(tmp_path: Path) -> Iterator[str]:
    """Where a live service listens that refuses NeMo Gym what it could not score."""
    with serving(tmp_path, SERVER + '[dialects]\nnemo_gym_unscored = "refuse"\n') as address:
        yield address
