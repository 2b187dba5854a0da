"""What one process finds in one piece of a tree, small enough to be sent back."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from env_server.audit.findings import Damage, Finding
from env_server.audit.row_checks import is_erased, leaf_fits, wrong_with
from env_server.audit.sources import Row, Signed, Source, Writer
from env_server.audit.spans import of_numbers
from env_server.ledger.entry import Kind
from env_server.ledger.merkle import HASH_BYTES, Span
from env_server.ledger.notes import BadNote, open_checkpoint

MOST_FINDINGS = 1000
"""Of one piece; a ledger that is wrong everywhere needs no list of everything."""


@dataclass
class SpanReport:
    """What was found in a piece."""

    records: int = 0
    leaves: list[tuple[int, bytes]] = field(default_factory=list)
    """Leaf hashes of records that follow one another, 32 bytes each, with the place of the first."""
    findings: list[Finding] = field(default_factory=list)
    suspects: list[dict[str, Any]] = field(default_factory=list)
    """Columns of the records whose leaf is not theirs."""
    erased: list[Span] = field(default_factory=list)
    erasures: list[tuple[str, Span]] = field(default_factory=list)
    """What records say was erased: the writer's public key in hexadecimal digits, and places."""
    about: set[bytes] = field(default_factory=set)
    """Ids that records are about."""


def check_span(source: Source, writer: Writer, span: Span) -> SpanReport:
    """Check the records of a piece and the checkpoints that end in it.

    What looks wrong is looked at again: a record may have been erased while it was read.

    Args:
        source: where the records are.
        writer: whose tree; with only the checkpoints that end in the span.
        span: which records.

    Raises:
        LedgerError: the source cannot be read.
    """
    report = _checked(source, writer, span)
    if report.findings:
        again = _checked(source, writer, span)
        again.findings = [finding for finding in report.findings if finding in again.findings]
        report = again
    report.findings += [found for one in writer.checkpoints if (found := wrong_signature(one, writer))]
    return report


def wrong_signature(checkpoint: Signed, writer: Writer) -> Finding | None:
    """What is wrong with a checkpoint, its root aside."""
    place = f"the checkpoint of {checkpoint.size} records" + f" in {checkpoint.kept_in}" * bool(checkpoint.kept_in)
    try:
        said = open_checkpoint(checkpoint.note, writer.public_key)
    except (BadNote, ValueError) as error:
        return Finding(Damage.SIGNATURE, f"{place} is not the writer's: {error}", writer.name)
    if (said.size, said.root, said.at_ms) != (checkpoint.size, checkpoint.root, checkpoint.at_ms):
        return Finding(Damage.SIGNATURE, f"{place} says something else than the columns beside it", writer.name)
    return None


def _checked(source: Source, writer: Writer, span: Span) -> SpanReport:
    report, run, first, following = SpanReport(), bytearray(), span[0], span[0]
    erased: list[int] = []
    for row in source.rows(writer, span):
        columns = row.columns
        _note(report, row, writer)
        report.records += 1
        if type(columns["seq"]) is not int:
            continue  # it stands nowhere
        if is_erased(columns):
            erased.append(columns["seq"])
        if columns["seq"] != following:
            report.leaves.append((first, bytes(run)))
            run, first = bytearray(), columns["seq"]
        run += _leaf(columns["leaf"])
        following = columns["seq"] + 1
    report.leaves.append((first, bytes(run)))
    report.erased = of_numbers(erased)
    return report


def _note(report: SpanReport, row: Row, writer: Writer) -> None:
    columns = row.columns
    if len(report.findings) < MOST_FINDINGS:
        found = list(wrong_with(row, writer.name))
        report.findings += found
        if any(finding.damage is Damage.CHANGED for finding in found):
            report.suspects.append(columns)
    if columns["about"] is not None:
        report.about.add(columns["about"])
    if columns["kind"] == Kind.ERASURE and row.detail:
        report.erasures += erased_by(row.detail)


def erased_by(detail: bytes) -> Iterator[tuple[str, Span]]:
    """What the detail of an erasure says was erased; nothing where it says it in another form."""
    try:
        for key, spans in json.loads(detail)["places"].items():
            for begin, end in spans:
                yield key, (int(begin), int(end))
    except (ValueError, TypeError, KeyError, AttributeError):
        return


def _leaf(value: Any) -> bytes:
    """What a tree is made of: something of the right length, whatever a column holds."""
    return value if isinstance(value, bytes) and len(value) == HASH_BYTES else bytes(HASH_BYTES)


def swapped(suspects: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of records of one tree, each of which belongs where the other stands."""
    for number, one in enumerate(suspects):
        for other in suspects[number + 1 :]:
            if _belongs(one, other) and _belongs(other, one):
                yield one, other


def _belongs(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a record fits the other's place, with the leaf it has or the one that stayed there."""
    return any(leaf_fits(one, other["seq"], leaf) for leaf in (one["leaf"], other["leaf"]))
