"""Exporting a ledger, or a part of it, to Parquet: with all that is needed to verify it without the database."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, true

from env_server.audit.database_source import Said, outcomes_in, reading, with_what_they_name, writers_in
from env_server.audit.export_files import ExportedLedger, ExportedRubric, ExportedWriter, write_text
from env_server.audit.sources import Writer
from env_server.audit.tables import (
    BODIES,
    LEFT_OUT,
    LEFT_OUT_FILE,
    RECORDS,
    RECORDS_FILE,
    ROWS_A_GROUP,
    TableWriter,
    as_row,
)
from env_server.ledger.codec import unpack
from env_server.ledger.entry import Kind
from env_server.ledger.merkle import HASH_BYTES, Frontier, node_hash
from env_server.ledger.notes import verifier_key
from env_server.ledger.place import Place
from env_server.ledger.schema import details, records, rubrics
from rewarders.errors import ConfigError, LedgerError

_BYTES_A_GROUP = 64 * 1024 * 1024
_ROWS_AT_ONCE = 500
_BODIES_REMEMBERED = 256
_VERIFY = "`env-server audit verify` says what is wrong with it"


@dataclass(frozen=True)
class Wanted:
    """Which records are exported: all of them if nothing is given."""

    run: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Wanted()

    def condition(self) -> ColumnElement[bool]:
        """What a record meets. Records about wanted ones come along, and those that say what was erased."""
        if self.everything:
            return true()
        about = records.alias()
        noted = select(about.c.id).where(*self._conditions(about))
        return or_(and_(*self._conditions(records)), records.c.about.in_(noted), records.c.kind == Kind.ERASURE.value)

    def _conditions(self, table: Any) -> Iterator[ColumnElement[bool]]:
        if self.run is not None:
            yield table.c.run == self.run
        if self.since_ms is not None:
            yield table.c.id >= (self.since_ms << 80).to_bytes(16, "big")
        if self.until_ms is not None:
            yield table.c.id < (self.until_ms << 80).to_bytes(16, "big")


@dataclass(frozen=True)
class Exported:
    """What an export came to."""

    directory: Path
    records: int
    left_out: int
    size_bytes: int
    whole: bool
    """Whether nothing was left out on purpose. Nothing proves of a part that it holds all that was wanted."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**self.__dict__, "directory": str(self.directory)}


def export(
    place: Place, directory: Path, wanted: Wanted = Wanted(), *, progress: Callable[[int], None] = lambda _: None
) -> Exported:
    """Write an export into a new directory; it is there whole or not at all.

    Args:
        place: where the ledger is.
        directory: must not exist yet, or be empty.
        wanted: which records.
        progress: called with the number of records that were written since the last call.

    Raises:
        ConfigError: the directory is there already, or cannot be written.
        LedgerError: the ledger cannot be read, or a record is damaged.
    """
    with making(directory) as unfinished:
        return replace(write_export(place, unfinished, wanted, progress=progress), directory=directory)


@contextmanager
def making(directory: Path) -> Iterator[Path]:
    """A directory under another name until all is in it. Raises ConfigError where it cannot be made."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory} is there already", hint="name a directory that is not")
    unfinished = directory.with_name(f".{directory.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        if directory.exists():
            directory.rmdir()
        unfinished.rename(directory)
    except OSError as error:
        raise ConfigError(f"cannot write the directory {directory}: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_export(
    place: Place,
    directory: Path,
    wanted: Wanted = Wanted(),
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write the files of an export into a directory. Raises LedgerError."""
    with reading(place) as connection:
        exporting = _Exporting(connection, wanted, progress)
        known = [one for one in writers_in(connection) if one.public_key]
        with nullcontext() if wanted.everything else closing(_LeftOut(directory)) as left_out:
            trees = [exporting.tree_of(one, left_out) for one in known]
        with closing(TableWriter(directory / RECORDS_FILE, RECORDS)) as table:
            count = sum(exporting.write_records(tree.writer, table) for tree in trees)
        served = [ExportedRubric(name=row.name, digest=row.digest, document=row.document)
                  for row in connection.execute(select(rubrics).order_by(rubrics.c.name))]  # fmt: skip
    ledger = ExportedLedger(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        wanted=None if wanted.everything else {k: v for k, v in wanted.__dict__.items() if v is not None},
        writers=tuple(tree.as_file for tree in trees),
        rubrics=tuple(served),
    )
    write_text(directory, ledger)
    total = sum(tree.writer.size for tree in trees)
    size_bytes = sum(path.stat().st_size for path in directory.iterdir())
    return Exported(directory, count, total - count, size_bytes, wanted.everything)


@dataclass(frozen=True)
class _Tree:
    """A writer's tree as it is exported."""

    writer: Writer
    whole: bool

    @property
    def as_file(self) -> ExportedWriter:
        notes = [one.note for one in self.writer.checkpoints]
        return ExportedWriter(
            key=verifier_key(self.writer.public_key),
            size=self.writer.size,
            frontier=self.writer.frontier.hex(),
            checkpoints=tuple(notes if self.whole else notes[-1:]),
        )


class _LeftOut:
    """Roots of the largest subtrees that are left out, written as soon as no later leaf can join them."""

    def __init__(self, directory: Path) -> None:
        self._table = TableWriter(directory / LEFT_OUT_FILE, LEFT_OUT)
        self._joining: list[tuple[int, int, bytes]] = []
        """Of leaves in a row: place, height and root, no two of one height but for the last."""
        self._rows: list[dict[str, Any]] = []

    def add(self, seq: int, leaf: bytes) -> None:
        """Add the leaf that follows the one before, and join what has become a full subtree."""
        height, node = 0, leaf
        while self._joining:
            before, before_height, root = self._joining[-1]
            if before_height != height or before + (1 << height) != seq or before & ((2 << height) - 1):
                break
            self._joining.pop()
            seq, height, node = before, height + 1, node_hash(root, node)
        self._joining.append((seq, height, node))

    def end_row(self, writer: str) -> None:
        """Here a leaf follows that is not left out, or another tree."""
        self._rows += [{"writer": writer, "seq": seq, "height": h, "root": root} for seq, h, root in self._joining]
        self._joining.clear()
        if len(self._rows) >= ROWS_A_GROUP:
            self._table.write(self._rows)
            self._rows = []

    def close(self) -> None:
        """Write the rest."""
        self._table.write(self._rows)
        self._table.close()


class _Exporting:
    """An export under way."""

    def __init__(self, connection: Connection, wanted: Wanted, progress: Callable[[int], None]) -> None:
        self._connection, self._wanted, self._progress = connection, wanted, progress
        self._streaming = connection.execution_options(yield_per=_ROWS_AT_ONCE)
        self._said = outcomes_in(connection)
        self._body = lru_cache(_BODIES_REMEMBERED)(unpack)
        """Instruments and tasks are the same for many records in a row."""

    def tree_of(self, writer: Writer, left_out: _LeftOut | None) -> _Tree:
        """The tree of a writer, grown again; what will not be exported goes to `left_out`."""
        frontier = Frontier()
        kept = [one for one in writer.checkpoints if one.size <= writer.size]
        flag = self._wanted.condition().label("wanted")
        leaves = select(records.c.seq, records.c.leaf, flag).where(*_within(writer)).order_by(records.c.seq)
        for seq, leaf, is_wanted in self._streaming.execute(leaves):
            if not isinstance(leaf, bytes) or len(leaf) != HASH_BYTES:
                raise LedgerError(f"record {seq} of {writer.name} has no leaf", hint=_VERIFY)
            frontier.append(leaf)
            if left_out and is_wanted:
                left_out.end_row(writer.name)
            elif left_out:
                left_out.add(seq, leaf)
        if left_out:
            left_out.end_row(writer.name)
        grown = replace(writer, frontier=frontier.dump(), checkpoints=tuple(kept))
        return _Tree(grown, self._wanted.everything)

    def write_records(self, writer: Writer, table: TableWriter) -> int:
        """Write the wanted records of a tree, and answer how many there are."""
        group: list[dict[str, Any]] = []
        count = size_bytes = 0
        statement = _rows(writer).where(self._wanted.condition())
        for found in self._streaming.execute(statement).partitions():
            for row in found:
                group.append(self._exported(writer, row._asdict()))
                size_bytes += sum(len(group[-1][name] or "") for name in ("completion", "detail"))
                if len(group) == ROWS_A_GROUP or size_bytes > _BYTES_A_GROUP:
                    table.write(group)
                    group, size_bytes = [], 0
            count += len(found)
            self._progress(len(found))
        table.write(group)
        return count

    def _exported(self, writer: Writer, columns: dict[str, Any]) -> dict[str, Any]:
        said: Said | None = () if columns["outcome"] is None else self._said.get(columns["outcome"])
        try:
            held = {name: packed and self._body(packed) for name, packed in _packed(columns).items()}
            return as_row(writer.name, columns, said or (), held)
        except (ValueError, TypeError) as error:
            raise LedgerError(
                f"record {columns['seq']} of {writer.name} cannot be exported: {error}",
                hint=_VERIFY,
            ) from error


def _packed(columns: dict[str, Any]) -> dict[str, bytes | None]:
    return {name: columns[f"{name}_data"] for name in (*BODIES, "detail")}


def _within(writer: Writer) -> tuple[ColumnElement[bool], ...]:
    return records.c.writer == writer.id, records.c.seq >= 0, records.c.seq < writer.size


def _rows(writer: Writer) -> Select[Any]:
    joined, named = with_what_they_name(BODIES)
    data = (body.c.data.label(f"{name}_data") for name, body in zip(BODIES, named, strict=True))
    wanted = (*records.c, details.c.data.label("detail_data"), *data)
    return select(*wanted).select_from(joined).where(*_within(writer)).order_by(records.c.seq)
