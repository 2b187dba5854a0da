"""A PostgreSQL cluster of the tests' own: Debian's binaries, a folder of its own, a Unix socket and no port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import pytest

_DEADLINE_S = 60


def binaries() -> Path | None:
    """Where `postgres` and `initdb` are, the newest version first; None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    named = shutil.which("postgres")
    return next((path for path in found if (path / "initdb").exists()), Path(named).parent if named else None)


class Cluster:
    """Started for a test session. `kill` ends every process of it at once, as a power cut would."""

    def __init__(self, bin_dir: Path) -> None:
        self._bin = bin_dir
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))  # a socket's path must be short
        self._user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to be root
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        options = ["--auth=trust", "--username=assay", "--encoding=UTF8", "--locale=C"]
        subprocess.run([bin_dir / "initdb", "-D", self.folder / "data", *options],
                       check=True, capture_output=True, user=self._user, group=self._user, extra_groups=[])  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers; after a kill it first recovers."""
        ends_with_us = ["setpriv", "--pdeathsig", "QUIT"]
        command = [
            *ends_with_us,
            self._bin / "postgres",
            "-D",
            self.folder / "data",
            "-k",
            self.folder,
            "-c",
            "listen_addresses=",
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, group=self._user, extra_groups=[],
                start_new_session=True,
            )  # fmt: skip
        ready = [self._bin / "pg_isready", "-q", "-h", self.folder, "-t", "1"]
        for _ in range(_DEADLINE_S * 10):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            if self._process.poll() is not None:
                break
            subprocess.run(["sleep", "0.1"], check=True)
        raise AssertionError(f"PostgreSQL does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """Kill -9 of all its processes."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop it, and remove everything it wrote."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_database(self, *options: str) -> str:
        """The URL of a new, empty database; options are those of `createdb`."""
        name = f"ledger{next(self._numbers)}"
        subprocess.run([self._bin / "createdb", *options, "-h", self.folder, "-U", "assay", name], check=True)
        return f"postgresql://assay@/{name}?host={self.folder}"

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            if how is signal.SIGKILL:
                os.killpg(self._process.pid, how)
            else:
                self._process.send_signal(how)
            self._process.wait(timeout=_DEADLINE_S)


def started_cluster() -> Cluster:
    """A running cluster, or a skip that says what is missing."""
    bin_dir = binaries()
    if bin_dir is None:
        pytest.skip("POSTGRESQL IS NOT TESTED HERE: it is not installed (Debian's package is `postgresql`)")
    if os.geteuid() == 0 and not any(entry.pw_name == "postgres" for entry in pwd.getpwall()):
        pytest.skip("POSTGRESQL IS NOT TESTED HERE: it cannot run as root, and there is no user `postgres`")
    return Cluster(bin_dir)
