"""Adding up what was found in the pieces of one writer's tree. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from env_server.audit.findings import Damage, Finding, spelled_id
from env_server.audit.sources import Left, Signed, Writer
from env_server.audit.span_checks import SpanReport, swapped
from env_server.audit.spans import merged, total
from env_server.audit.trees import TreeCheck
from env_server.ledger.merkle import HASH_BYTES, Span
from env_server.ledger.notes import name_of

_MOST_SUSPECTS = 300
"""Records among which swapped ones are looked for: every pair is tried."""


@dataclass(frozen=True)
class TreeReport:
    """What was found of one writer's tree."""

    name: str
    records: int
    """In the ledger or the export, out of `size`."""
    size: int
    root: str | None
    """In hexadecimal digits; None where records are missing."""
    checkpoints: int
    """Whose root was that of the tree."""
    newest: str | None
    """When the newest checkpoint was signed."""
    erased: int

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return dict(self.__dict__)


class TreeTally:
    """Takes the reports of a tree's pieces in order."""

    def __init__(self, writer: Writer, left_out: Sequence[Left]) -> None:
        self._writer = writer
        self._newest = max(writer.checkpoints, key=lambda one: one.size, default=None)
        self._check = TreeCheck(writer, left_out)
        self._findings: list[Finding] = []
        self._suspects: list[dict[str, Any]] = []
        self._present: list[Span] = []
        self._erased: list[Span] = []
        self._records = 0

    def add(self, report: SpanReport) -> None:
        """Go on with the next piece."""
        for first, leaves in report.leaves:
            self._check.add((first, leaves))
            self._present.append((first, first + len(leaves) // HASH_BYTES))
        self._findings += report.findings
        self._suspects += report.suspects[: _MOST_SUSPECTS - len(self._suspects)]
        self._erased += report.erased
        self._records += report.records

    def finish(self) -> list[Finding]:
        """Everything that is wrong with the tree."""
        writer = self._writer
        self._check.finish()
        found = [*_with_swaps(self._findings, self._suspects, writer.name), *self._check.findings]
        if writer.name != name_of(writer.public_key):
            message = "the name in the writer's row is not that of its key"
            found.append(Finding(Damage.END_CHANGED, message, writer.name))
        signed = self._newest.size if self._newest else 0
        if signed < writer.size:
            message = f"its writer signed {max(signed, 0)} records, and the ledger has {writer.size} of them"
            found.append(Finding(Damage.END_CHANGED, message, writer.name, max(signed, 0)))
        return found

    @property
    def present(self) -> list[Span]:
        """Places of the records that are there."""
        return merged(self._present)

    @property
    def erased(self) -> list[Span]:
        """Places of those that were erased."""
        return merged(self._erased)

    @property
    def report(self) -> TreeReport:
        """The tree in figures, once it is finished."""
        root = self._check.root
        return TreeReport(
            name=self._writer.name,
            records=self._records,
            size=self._writer.size,
            root=root.hex() if root else None,
            checkpoints=self._check.checked,
            newest=_time(self._newest),
            erased=total(self.erased),
        )


def _with_swaps(findings: list[Finding], suspects: list[dict[str, Any]], writer: str) -> list[Finding]:
    """Say of two changed records that they were swapped, if that is what it was."""
    for one, other in swapped(suspects):
        places = {one["seq"], other["seq"]}
        findings = [
            finding for finding in findings if finding.damage is not Damage.CHANGED or finding.seq not in places
        ]
        message = f"it and {spelled_id(other['id'])} at {other['seq']} stand in each other's place"
        findings.append(Finding(Damage.SWAPPED, message, writer, one["seq"], spelled_id(one["id"])))
    return findings


def _time(checkpoint: Signed | None) -> str | None:
    try:
        return checkpoint and datetime.fromtimestamp(checkpoint.at_ms / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None  # whatever stands there is no time
