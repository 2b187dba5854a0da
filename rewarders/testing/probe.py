"""Our end of a prober: starts it, asks, and notices when it dies, hangs or talks nonsense. See `prober.py`."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rewarders.errors import PluginError
from rewarders.testing.cases import Case
from rewarders.tools import Tools
from rewarders.types import Message, Verdict

_START_S = 120.0
_LAST_WORDS_S = 5.0
_MOST_DEATHS = 50
_MOST_BYTES = 1024 * 1024
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


@dataclass(frozen=True)
class Outcome:
    """What came of one question. Exactly one of `verdict`, `refused`, `raised`, `died` says it."""

    verdict: Verdict | None = None
    refused: str | None = None
    """`params` or `task`."""
    raised: str | None = None
    """Type of the exception."""
    died: str | None = None
    message: str = ""
    events: tuple[str, ...] = ()
    cpu_s: float = 0.0

    @property
    def said(self) -> tuple[object, ...]:
        """What has to be the same whenever the same is asked."""
        verdict = (self.verdict.score, self.verdict.reason) if self.verdict else None
        return verdict, self.refused, self.raised, bool(self.died)

    def __str__(self) -> str:
        if self.verdict:
            return f"score {self.verdict.score:g}, {self.verdict.reason}"
        refused = f"refused the {self.refused}" if self.refused else None
        return f"{refused or self.raised or self.died}: {self.message}"[:300]


@dataclass
class Probe:
    """One prober process, replaced when it dies."""

    source: Source
    elsewhen: bool = False
    """Another hash seed, clock, working directory and environment: nothing that a verdict may depend on."""
    deaths: int = 0
    spec: dict[str, Any] = field(default_factory=dict)
    cases: Path | None = None
    """Where the rewarder's own cases are, if it brings some."""
    _process: "subprocess.Popen[bytes] | None" = None
    _rest: bytes = b""
    _folder: "tempfile.TemporaryDirectory[str]" = field(default_factory=tempfile.TemporaryDirectory)

    def __enter__(self) -> Self:
        """It starts when it is asked first."""
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._folder.cleanup()

    def ask(self, case: Case) -> Outcome:
        """What the rewarder says of a case. Never raises for what the rewarder does."""
        if self.deaths >= _MOST_DEATHS:
            return Outcome(died=f"was not asked any more: it had died {self.deaths} times")
        if self._process is None:
            self.start()
        judged = {"completion": case.asked.document, "reference": case.reference, "params": case.params}
        question = {**judged, "prompt": case.prompt}
        budget_s = self.spec["cpu_budget_s"]
        try:
            self._send(question)
            said = self._receive(20 + 10 * budget_s if budget_s else 180.0)
        except (BrokenPipeError, TimeoutError, EOFError, ValueError) as error:
            return Outcome(died=self._how_it_died(error))
        verdict = Verdict.model_validate(said["verdict"]) if "verdict" in said else None
        return Outcome(
            verdict, said.get("refused"), said.get("raised"), None, said.get("message", ""),
            tuple(said["events"]), said.get("cpu_s", 0.0),
        )  # fmt: skip

    def start(self) -> None:
        """Load the rewarder. Raises PluginError: the rewarder is not there, or its package does not load."""
        source = self.source
        python = str(source.python or sys.executable)
        self._process = subprocess.Popen(
            [python, "-P", "-m", "rewarders.testing.prober"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            cwd=self._folder.name, env=self._environment(),
        )  # fmt: skip
        self._rest = b""
        opening = {"rewarder": source.rewarder, "load": source.load, "modules": source.modules, "tools": source.tools}
        try:
            self._send({**opening, "clock_s": ELSEWHEN_S if self.elsewhen else 0.0})
            said = self._receive(_START_S)
        except (BrokenPipeError, TimeoutError, EOFError, ValueError) as error:
            raise PluginError(f"{source.rewarder}: its process {self._how_it_died(error)} as it was loaded") from None
        if "error" in said:
            self._end()
            raise PluginError(said["error"], hint=said["hint"])
        self.spec, self.cases = said["spec"], Path(said["cases"]) if said["cases"] else None

    def _environment(self) -> dict[str, str]:
        """Nothing of ours but what starts a Python: what a verdict depends on is in the task or in the params."""
        kept = {"PATH": os.environ.get("PATH", os.defpath), "HOME": self._folder.name}
        if self.source.python is None:
            kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
        if self.elsewhen:
            return {**kept, "PYTHONHASHSEED": "4711", "TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8", "USER": "nobody"}
        return {**kept, "PYTHONHASHSEED": "0", "TZ": "UTC"}

    def _send(self, value: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value).encode() + b"\n")
        self._process.stdin.flush()

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        """One line. Raises TimeoutError, EOFError, ValueError for what is no object in JSON."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            if not select.select([descriptor], [], [], timeout_s)[0]:
                raise TimeoutError
            piece = os.read(descriptor, 65536)
            if not piece or len(self._rest) > _MOST_BYTES:
                raise EOFError
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        said = json.loads(line)
        if not isinstance(said, dict):
            raise ValueError("not an object")
        return said

    def _how_it_died(self, error: Exception) -> str:
        """Also makes sure that it did."""
        self.deaths += 1
        process = self._process
        assert process is not None
        if isinstance(error, TimeoutError):
            self._end()
            return "did not answer in time"
        if isinstance(error, ValueError):
            self._end()
            return "wrote something of its own into the protocol"
        with suppress(subprocess.TimeoutExpired):  # one that only closed its end is ended
            process.wait(timeout=_LAST_WORDS_S)
        self._end()
        if process.returncode == -signal.SIGPROF:
            return "spent its CPU budget"
        name = signal.Signals(-process.returncode).name if process.returncode < 0 else f"exit code {process.returncode}"
        return f"ended by {name}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with suppress(BrokenPipeError):  # what it had not read yet
                    stream.close()
