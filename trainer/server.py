"""Start a reward service for one run, and see to it that it does not outlive the run."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rewarders.errors import AssayError
from trainer.children import child_command, stop_child

_START_LIMIT_S = 60.0


class ServerNotStarted(AssayError):
    """The reward service ended, or said nothing, before it was ready."""


@contextmanager
def spawned_server(data_dir: Path, config: Path | None = None) -> Iterator[str]:
    """Run a reward service on a free loopback port for as long as the block lasts, and yield its URL.

    Its records stay in `data_dir`, and what it prints in `data_dir/server.out` and `data_dir/server.err`.
    Call it from the main thread: the service ends with the thread that starts it.

    Raises:
        ServerNotStarted: with the end of what it wrote to stderr.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    out, err = data_dir / "server.out", data_dir / "server.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            _command(data_dir, config),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for the trainer, which still needs answers while it saves
        )
    try:
        yield _ready_url(process, out, err)
    finally:
        stop_child(process)


def _command(data_dir: Path, config: Path | None) -> list[str]:
    serve = ["serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data_dir), "--json"]
    chosen = ["--config", str(config)] if config else []
    return child_command("env_server", *serve, *chosen)


def _ready_url(process: "subprocess.Popen[bytes]", out: Path, err: Path) -> str:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        line, newline, _ = out.read_bytes().partition(b"\n")
        if newline:
            return str(json.loads(line)["url"])
        if process.poll() is not None:
            raise _not_started(f"the reward service ended with status {process.returncode}", err)
        time.sleep(0.02)
    raise _not_started(f"the reward service was not ready within {_START_LIMIT_S:g} s", err)


def _not_started(what: str, err: Path) -> ServerNotStarted:
    said = err.read_text("utf-8", "replace").strip()[-1500:] or "it wrote nothing to stderr"
    return ServerNotStarted(f"{what}: {said}", hint="try `env-server serve` by itself")
