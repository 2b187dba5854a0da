"""A reward service in processes of its own, and what they cost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class ServiceProcess:
    """`env-server serve` and all that it starts."""

    def __init__(self, folder: Path, toml: str) -> None:
        """Start it in a folder and wait until it can score."""
        folder.mkdir(exist_ok=True)
        config = folder / "server.toml"
        config.write_text(toml)
        command = [sys.executable, "-m", "env_server", "serve", "--config", str(config), "--port", "0", "--json"]
        paths = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(folder / "data")], stdout=subprocess.PIPE, stderr=log, text=True,
                env={**os.environ, "PYTHONPATH": paths},
            )  # fmt: skip
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError((folder / "log").read_text()[-2000:])
        self.url: str = json.loads(said)["url"]
        self.data_dir = folder / "data"

    def cpu_s(self) -> float:
        """CPU seconds of all the processes that live, and of those that have ended and been waited for."""
        return cpu_s_below(self._process.pid)

    def memory_bytes(self) -> int:
        """Memory of all the processes, what they share counted once."""
        return sum(map(_proportional_bytes, _family(self._process.pid)))

    def stop(self) -> None:
        """End it gracefully."""
        self._process.terminate()
        self._process.communicate()


@contextmanager
def service(toml: str) -> Iterator[ServiceProcess]:
    """A service in a folder of its own, which goes with it."""
    with TemporaryDirectory(prefix="service-") as name:
        process = ServiceProcess(Path(name), toml)
        try:
            yield process
        finally:
            process.stop()


def cpu_s_below(pid: int) -> float:
    """CPU seconds of a process and of all that descend from it, and of those that have ended and were waited for."""
    ticks = (_stat(one) for one in _family(pid))
    return sum(sum(map(int, fields[11:15])) for fields in ticks if fields) * _TICK_S


def _family(pid: int) -> Iterator[int]:
    frontier = [pid]
    while frontier:
        yield from frontier
        frontier = [child for parent in frontier for child in _children(parent)]


def _children(pid: int) -> list[int]:
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue  # it has ended
    return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
