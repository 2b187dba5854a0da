"""Asks a rewarder in a process of its own, and notices when it dies, hangs or talks nonsense. See `prober.py`."""

import json
import select
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rewarders.errors import PluginError
from rewarders.testing.cases import Case
from rewarders.testing.nursery import Forked, Nursery, Source, how_it_ended
from rewarders.types import Verdict

_START_S = 120.0
_MOST_DEATHS = 50
_MOST_BYTES = 4 * 1024 * 1024


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
    """One process with one rewarder, replaced when it dies."""

    source: Source
    nursery: Nursery
    deaths: int = 0
    spec: dict[str, Any] = field(default_factory=dict)
    cases: Path | None = None
    """Where the rewarder's own cases are, if it brings some."""
    _forked: Forked | None = None
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
        return self.ask_together([case])[0]

    def ask_together(self, cases: Sequence[Case]) -> list[Outcome]:
        """What it says of each of them: an async rewarder is asked about all at once, another one after the other."""
        if self.deaths >= _MOST_DEATHS:
            return [Outcome(died=f"was not asked any more: it had died {self.deaths} times")] * len(cases)
        if self._forked is None:
            self.start()
        budget_s = self.spec["cpu_budget_s"]
        patience_s = 20 + 10 * budget_s * len(cases) if budget_s else 180.0
        try:
            self._send({"questions": [_question(case) for case in cases]})
            said = [self._receive(patience_s) for _ in cases]
        except (OSError, EOFError, ValueError) as error:
            return [Outcome(died=self._how_it_died(error))] * len(cases)
        return [_outcome(one) for one in said]

    def start(self) -> None:
        """Load the rewarder. Raises PluginError: the rewarder is not there, or its package does not load."""
        self._forked, self._rest = self.nursery.fork(self.source, self._folder.name), b""
        try:
            said = self._receive(_START_S)
        except (OSError, EOFError, ValueError) as error:
            how = self._how_it_died(error)
            raise PluginError(f"{self.source.rewarder}: its process {how} as it was loaded") from None
        if "error" in said:
            self._end()
            raise PluginError(said["error"], hint=said["hint"])
        self.spec, self.cases = said["spec"], Path(said["cases"]) if said["cases"] else None

    @property
    def _link(self) -> socket.socket:
        assert self._forked is not None
        return self._forked.link

    def _send(self, value: dict[str, Any]) -> None:
        self._link.sendall(json.dumps(value).encode() + b"\n")

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        """One line. Raises TimeoutError, EOFError, ValueError for what is no object in JSON."""
        while b"\n" not in self._rest:
            if not select.select([self._link], [], [], timeout_s)[0]:
                raise TimeoutError
            piece = self._link.recv(65536)
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
        exit_code = self._end(patient=not isinstance(error, TimeoutError | ValueError))
        if isinstance(error, TimeoutError):
            return "did not answer in time"
        if isinstance(error, ValueError):
            return "wrote something of its own into the protocol"
        return "ended with all its kind" if exit_code is None else how_it_ended(exit_code)

    def _end(self, *, patient: bool = False) -> int | None:
        forked, self._forked = self._forked, None
        return self.nursery.end(forked, patient=patient) if forked else None


def _question(case: Case) -> dict[str, Any]:
    judged = {"completion": case.asked.document, "reference": case.reference, "params": case.params}
    return {**judged, "prompt": case.prompt}


def _outcome(said: dict[str, Any]) -> Outcome:
    verdict = Verdict.model_validate(said["verdict"]) if "verdict" in said else None
    return Outcome(
        verdict, said.get("refused"), said.get("raised"), None, said.get("message", ""),
        tuple(said["events"]), said.get("cpu_s", 0.0),
    )  # fmt: skip
