"""A real server in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from odd_server import LENGTH_ECHO_OBEYS

CONFIG = f"""
[server]
max_body_bytes = 4_000_000
[plugins]
load = []
modules = ["odd_rewarders"]
[workers]
processes = 2
[cache]
max_bytes = 0
{LENGTH_ECHO_OBEYS}"""
BUILT_IN = CONFIG.replace("load = []", 'load = ["assay"]')


HOTFIX = '''
from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


@rewarder("acme.hotfix", version="1.0")
def hotfix(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Score what the file says just now."""
    return Verdict(score=1.0, reason="done")
'''


@dataclass
class RunningServer:
    """`env-server serve` on a free port."""

    data_dir: Path
    config: Path
    port: int = 0
    process: subprocess.Popen[str] = field(init=False)
    url: str = field(init=False)

    def start(self) -> None:
        self.spawn()
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.port = int(self.url.rpartition(":")[2])

    def spawn(self) -> None:
        command = [sys.executable, "-m", "env_server", "serve", "--json", "--port", str(self.port)]
        command += ["--config", str(self.config), "--data-dir", str(self.data_dir)]
        path = os.pathsep.join([str(self.config.parent), os.environ["PYTHONPATH"]])
        environment = {**os.environ, "PYTHONPATH": path}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        self.process.terminate()
        return self._wait()

    def _wait(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(timeout=30)

    def cpu_ticks(self) -> int:
        """CPU time that the worker processes have used so far, in clock ticks."""
        return sum(_ticks(pid) for pid in self.descendants())

    def descendants(self) -> list[int]:
        """Process ids below the server: first the nursery; then what else it started, and what those did."""
        found, frontier = [], [self.process.pid]
        while frontier:
            frontier = [child for pid in frontier for child in _children(pid)]
            found += frontier
        return found

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        nursery, *_ = self.descendants()
        return _children(nursery)


def _ticks(pid: int) -> int:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0  # user and system time


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in tasks for child in _read(children).split()]


def _read(path: Path) -> str:
    """A file of a process that may be gone by now."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
def server_toml() -> str:
    """The configuration of a server that is given none, to be added to: it has the odd rewarders alone."""
    return CONFIG


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Start servers that end with the test, with another file if need be; a module named is made of HOTFIX."""
    made: list[RunningServer] = []

    def make(
        module: str = "", *, started: bool = True, toml: str = CONFIG, data_dir: Path = tmp_path / "data"
    ) -> RunningServer:
        config = tmp_path / "server.toml"
        config.write_text(toml)
        if module:
            (tmp_path / f"{module}.py").write_text(HOTFIX)
            rubric = f'[rubrics."{module}.v1"]\nparts = [{{ rewarder = "acme.hotfix" }}]\n'
            config.write_text(CONFIG.replace('"odd_rewarders"', f'"odd_rewarders", "{module}"') + rubric)
        server = RunningServer(data_dir, config)
        made.append(server)
        server.start() if started else server.spawn()
        return server

    yield make
    for server in made:
        server.stop()  # also closes the pipe of one that has ended


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of one server for the whole module, which has the built-in rewarders."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "server.toml").write_text(BUILT_IN)
    server = RunningServer(folder / "data", folder / "server.toml")
    server.start()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client
    assert server.stop() == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in server.descendants())
