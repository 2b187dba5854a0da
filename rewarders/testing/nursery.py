"""Our end of a prober: the process that loads rewarders once, and forks one to be asked whenever it is told to.

What it forks is asked over a socket of its own (`probe.py`). The loading, which takes a second, is paid once for all
the exams that share it; what is forked starts from the same state, in a folder of its own.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

from rewarders.errors import PluginError
from rewarders.tools import Tools
from rewarders.types import Message

_START_S = 120.0
_LAST_WORDS_S = 5.0
_MOST_BYTES = 65_536
ELSEWHEN_S = 400 * 86400.0 + 45_296.0
"""Another year, another half of the day, another second."""

HandOut = Callable[[Sequence[Message]], AbstractAsyncContextManager[Tools]]
"""From the prompt of a task to the tools of one call."""


@dataclass(frozen=True)
class Source:
    """Which rewarder, where it is found, and in which Python."""

    rewarder: str
    load: tuple[str, ...] | None = None
    """Distributions; every installed one if not given."""
    modules: tuple[str, ...] = ()
    tools: str = ""
    """`module:factory` of what an async rewarder is handed: an async context manager that yields a `HandOut`."""
    python: Path | None = None
    """Interpreter of a virtual environment; the one this runs in if not given."""

    @property
    def place(self) -> tuple[object, ...]:
        """Equal for rewarders that one process can load."""
        return self.load, self.modules, self.python


@dataclass(frozen=True)
class Forked:
    """A process that waits to be asked."""

    pid: int
    link: socket.socket


@dataclass
class Nursery:
    """One prober, started when it is needed and replaced when it dies."""

    source: Source
    elsewhen: bool = False
    """Another hash seed, clock and environment: nothing that a verdict may depend on."""
    _process: "subprocess.Popen[bytes] | None" = None
    _control: socket.socket | None = None
    _one_at_a_time: Lock = field(default_factory=Lock)
    _folder: "tempfile.TemporaryDirectory[str]" = field(default_factory=tempfile.TemporaryDirectory)

    def fork(self, source: Source, folder: str) -> Forked:
        """A process that has loaded the rewarder, or that says why it could not.

        Args:
            source: the rewarder and its tools; of the same place as this nursery.
            folder: its working directory and home.

        Raises:
            PluginError: the whole prober ended, or hung, while it loaded.
        """
        ours, theirs = socket.socketpair()
        question = {"fork": source.rewarder, "tools": source.tools, "folder": folder}
        with ExitStack() as unless_handed_over, self._one_at_a_time:
            unless_handed_over.enter_context(ours)
            with theirs:
                try:
                    pid = self._ask(question, [theirs.fileno()])
                except (OSError, ValueError) as error:
                    raise PluginError(f"{source.rewarder}: its process {self._how_it_died(error)}") from None
            unless_handed_over.pop_all()
        return Forked(pid, ours)

    def end(self, forked: Forked, *, patient: bool = False) -> int | None:
        """Make sure that it is gone. Its exit code, negative for a signal; None where nobody knows."""
        forked.link.close()
        with self._one_at_a_time:
            if self._process is None:
                return None
            try:
                status = self._ask({"end": forked.pid, "patience_s": _LAST_WORDS_S if patient else 0.0})
                return os.waitstatus_to_exitcode(status)
            except (OSError, ValueError) as error:
                self._how_it_died(error)
                return None

    def close(self) -> None:
        """End it, and with it all that it forked."""
        with self._one_at_a_time:
            self._end()
        self._folder.cleanup()

    def _ask(self, question: dict[str, Any], descriptors: Sequence[int] = ()) -> int:
        """Raises OSError, TimeoutError among them, where there is no answer, ValueError where it is no number."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._start()
        assert self._control is not None
        socket.send_fds(self._control, [json.dumps(question).encode()], descriptors)
        if not (said := self._control.recv(_MOST_BYTES)):
            raise ConnectionResetError
        return int(said)

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_START_S)
        with theirs:
            python = str(self.source.python or sys.executable)
            command = [python, "-P", "-m", "rewarders.testing.prober", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno()], cwd=self._folder.name,
                env=self._environment(),
            )  # fmt: skip
        opening = {"load": self.source.load, "modules": self.source.modules}
        self._control.send(json.dumps({**opening, "clock_s": ELSEWHEN_S if self.elsewhen else 0.0}).encode())

    def _environment(self) -> dict[str, str]:
        """Nothing of ours but what starts a Python: what a verdict depends on is in the task or in the params."""
        kept = {"PATH": os.environ.get("PATH", os.defpath), "HOME": self._folder.name}
        if self.source.python is None:
            kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
        if self.elsewhen:
            return {**kept, "PYTHONHASHSEED": "4711", "TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8", "USER": "nobody"}
        return {**kept, "PYTHONHASHSEED": "0", "TZ": "UTC"}

    def _how_it_died(self, error: Exception) -> str:
        """Also makes sure that it did."""
        process = self._process
        assert process is not None
        if isinstance(error, ConnectionError):
            try:
                process.wait(_LAST_WORDS_S)
            except subprocess.TimeoutExpired:
                error = TimeoutError()
        self._end()
        if isinstance(error, ConnectionError):
            return f"{how_it_ended(process.returncode)} as it was loaded"
        said = "did not answer in time" if isinstance(error, TimeoutError) else "wrote something of its own"
        return f"{said} as it was loaded"

    def _end(self) -> None:
        process, self._process = self._process, None
        if self._control:
            self._control.close()
        if process:
            process.kill()
            process.wait()


class Nurseries:
    """Probers that several exams share; ended with the block."""

    def __init__(self) -> None:
        self._held: dict[tuple[object, ...], Nursery] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Each starts when it is needed first."""
        return self

    def __exit__(self, *_: object) -> None:
        for nursery in self._held.values():
            nursery.close()

    def of(self, source: Source, *, elsewhen: bool) -> Nursery:
        """The one that can load this rewarder."""
        with self._lock:
            if (source.place, elsewhen) not in self._held:
                self._held[source.place, elsewhen] = Nursery(source, elsewhen)
            return self._held[source.place, elsewhen]


def how_it_ended(exit_code: int) -> str:
    """In words; negative for a signal."""
    if exit_code == -signal.SIGPROF:
        return "spent its CPU budget"
    name = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    return f"ended by {name}"
