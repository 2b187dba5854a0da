"""Making proofs from a ledger's database. Only leaf hashes are read, and never all at once."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from env_server.audit.database_source import outcome_in, reading
from env_server.audit.proofs import BadProof, Consistency, Inclusion, Proof, check
from env_server.ledger.entry import leaf_data, said_digest
from env_server.ledger.merkle import Frontier, Span, consistency_spans, inclusion_spans
from env_server.ledger.notes import Checkpoint, open_checkpoint, parse_checkpoint, verifier_key
from env_server.ledger.place import Place
from env_server.ledger.schema import records, writers
from rewarders.errors import ConfigError, LedgerError, NotFound

_LEAVES_AT_ONCE = 10_000


def prove(place: Place, record_id: str | None, older: str | None = None) -> Proof:
    """A proof that a record is in its writer's newest signed tree, that an older checkpoint is its beginning, or both.

    Args:
        place: where the ledger is.
        record_id: the record; None where only `older` is asked about.
        older: a signed checkpoint that was kept.

    Raises:
        NotFound: there is no such record.
        ConfigError: there is no such writer, or they are of different trees.
        LedgerError: what the ledger holds proves nothing.
    """
    kept = parse_checkpoint(older) if older else None
    with reading(place) as connection:
        row = _record(connection, record_id) if record_id else None
        writer = _writer(connection, row, kept)
        newest = _newest(writer, max(row.seq + 1 if row else 0, kept.size if kept else 0))
        proof = Proof(
            key=verifier_key(writer.public_key),
            checkpoint=newest.note,
            inclusion=_inclusion(connection, row, newest) if row else None,
            consistency=_consistency(connection, writer.id, kept, newest) if kept else None,
        )
    try:
        check(proof)
    except BadProof as error:
        raise LedgerError(f"the ledger cannot prove it: {error}", hint="`audit verify` says what is wrong") from error
    return proof


def _record(connection: Connection, record_id: str) -> Row[Any]:
    try:
        wanted = UUID(record_id).bytes
    except ValueError:
        raise NotFound(f"there is no record {record_id!r:.60}: that is no id") from None
    row = connection.execute(select(records).where(records.c.id == wanted)).one_or_none()
    if row is None:
        raise NotFound(f"there is no record {record_id}", hint="`env-server audit list` lists records")
    return row


def _writer(connection: Connection, row: Row[Any] | None, kept: Checkpoint | None) -> Row[Any]:
    wanted = writers.c.id == row.writer if row else writers.c.name == (kept.origin if kept else "")
    writer = connection.execute(select(writers).where(wanted)).one_or_none()
    if writer is None:
        raise ConfigError(f"the ledger has no writer {kept.origin[:80] if kept else ''}")
    if kept and kept.origin != writer.name:
        raise ConfigError(f"the record is {writer.name}'s, and the checkpoint {kept.origin[:80]}'s")
    return writer


def _newest(writer: Row[Any], least: int) -> Checkpoint:
    newest = open_checkpoint(writer.note, writer.public_key)
    if newest.size < least:
        raise LedgerError(
            f"{writer.name} signed {newest.size} records, and not {least}", hint="`audit verify` says what is wrong"
        )
    return newest


def _inclusion(connection: Connection, row: Row[Any], newest: Checkpoint) -> Inclusion:
    path = _roots(connection, row.writer, inclusion_spans(row.seq, newest.size))
    said = said_digest(outcome_in(connection, row.outcome))
    spelled = leaf_data({**row._asdict(), "said": said}).decode("utf-8")
    return Inclusion(record=str(UUID(bytes=row.id)), index=row.seq, leaf_data=spelled, path=tuple(path))


def _consistency(connection: Connection, writer: int, kept: Checkpoint, newest: Checkpoint) -> Consistency:
    spans = consistency_spans(kept.size, newest.size) if kept.size else []
    return Consistency(checkpoint=kept.note, path=tuple(_roots(connection, writer, spans)))


def _roots(connection: Connection, writer: int, spans: Sequence[Span]) -> list[str]:
    return [_root(connection, writer, span).hex() for span in spans]


def _root(connection: Connection, writer: int, span: Span) -> bytes:
    frontier = Frontier()
    within = (records.c.writer == writer) & (records.c.seq >= span[0]) & (records.c.seq < span[1])
    leaves = select(records.c.leaf).where(within).order_by(records.c.seq)
    streaming = connection.execution_options(yield_per=_LEAVES_AT_ONCE)
    for leaf in streaming.scalars(leaves):
        frontier.append(leaf)
    return frontier.root
