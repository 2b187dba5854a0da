"""How an export spells records in Parquet, and how it is read again. The one module that imports pyarrow."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from env_server.audit.sources import Left, Row
from env_server.ledger.entry import said_digest
from rewarders.errors import ConfigError, LedgerError

try:
    import pyarrow as pa
    from pyarrow import parquet
except ModuleNotFoundError as missing:
    raise ConfigError(
        "exports are in Parquet, and pyarrow is not installed", hint="pip install 'assay[parquet]'"
    ) from missing

RECORDS_FILE = "records.parquet"
LEFT_OUT_FILE = "left_out.parquet"
ROWS_A_GROUP = 1 << 14
_SAID = pa.list_(pa.struct([("rewarder", pa.string()), ("reason", pa.string()), ("fault", pa.bool_())]))
_TEXTS = ("tenant", "run", "group", "task_id", "rubric", "status")
BODIES = ("instrument", "task", "completion")
RECORDS = pa.schema(
    [
        ("writer", pa.string()),
        ("seq", pa.int64()),
        ("id", pa.string()),
        ("at", pa.timestamp("ms", tz="UTC")),
        ("kind", pa.string()),
        ("about", pa.string()),
        ("tenant", pa.string()),
        ("run", pa.string()),
        ("step", pa.int64()),
        ("group", pa.string()),
        ("sample", pa.int64()),
        ("task_id", pa.string()),
        ("rubric", pa.string()),
        ("status", pa.string()),
        ("reward", pa.float64()),
        ("said", _SAID),
        *((name, pa.string()) for name in (*BODIES, "detail")),
        ("salt", pa.binary()),
        ("commitment", pa.binary()),
        ("leaf", pa.binary()),
    ]
)
"""`said` is what each rewarder said in short; instrument, task, completion and detail are JSON."""
LEFT_OUT = pa.schema([("writer", pa.string()), ("seq", pa.int64()), ("height", pa.int32()), ("root", pa.binary())])
_REPEATED = ["writer", "kind", "tenant", "run", "group", "task_id", "rubric", "status", "instrument", "task"]


class TableWriter:
    """Writes rows to a Parquet file, one group of rows at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        repeated = [name for name in _REPEATED if name in schema.names]
        self._schema = schema
        self._file = parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated)

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write the rows as one group. Raises LedgerError where one holds what the schema does not."""
        if not rows:
            return
        try:
            table = pa.Table.from_pylist(list(rows), schema=self._schema)
        except (pa.ArrowException, UnicodeEncodeError, TypeError, ValueError) as error:
            raise LedgerError(
                f"a record of {rows[0]['writer']} from {rows[0]['seq']} on cannot be exported: {error}",
                hint="`audit verify` says what is wrong with it",
            ) from error
        self._file.write_table(table, row_group_size=len(rows))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def as_row(
    writer: str, columns: dict[str, Any], said: Sequence[tuple[str, str, bool]], bodies: dict[str, Any]
) -> dict[str, Any]:
    """A record as a row of the export; `bodies` holds instrument, task, completion and detail as bytes."""
    return {
        "writer": writer,
        "seq": columns["seq"],
        "id": str(UUID(bytes=columns["id"])),
        "at": columns["at_ms"],
        "kind": columns["kind"],
        "about": columns["about"] and str(UUID(bytes=columns["about"])),
        **{name: columns[name] for name in ("step", "sample", "reward", *_TEXTS, "salt", "commitment", "leaf")},
        "said": [{"rewarder": rewarder, "reason": reason, "fault": fault} for rewarder, reason, fault in said],
        **{name: body and body.decode("utf-8") for name, body in bodies.items()},
    }


class TableReader:
    """A Parquet file of an export."""

    def __init__(self, path: Path) -> None:
        """Raises LedgerError: it cannot be read, or has other columns."""
        with _reading(path):
            self._file = parquet.ParquetFile(path)
        self._path = path

    def groups(self) -> Iterator[tuple[int, list[str], list[int]]]:
        """Number of each group of rows, with the writer and the place of each row. Raises LedgerError."""
        with _reading(self._path):
            for number in range(self._file.num_row_groups):
                columns = self._file.read_row_group(number, columns=["writer", "seq"])
                yield number, columns["writer"].to_pylist(), columns["seq"].to_pylist()

    def rows(self, group: int) -> Iterator[Row]:
        """The records of a group. Raises LedgerError."""
        with _reading(self._path):
            table = self._file.read_row_group(group, columns=RECORDS.names).cast(RECORDS).cast(_PLAIN)
            columns = [table[name].to_pylist() for name in RECORDS.names]
            for values in zip(*columns, strict=True):
                yield _row(dict(zip(RECORDS.names, values, strict=True)))

    def left_out(self, writer: str) -> Iterator[Left]:
        """What the export left out of a writer's tree. Raises LedgerError."""
        with _reading(self._path):
            for row in self._file.read(columns=LEFT_OUT.names).to_pylist():
                if row["writer"] == writer:
                    yield Left(row["seq"], row["height"], row["root"])

    def ids(self) -> Iterator[Any]:
        """Ids of all records, as bytes where they are ids. Raises LedgerError."""
        with _reading(self._path):
            for number in range(self._file.num_row_groups):
                for name in self._file.read_row_group(number, columns=["id"])["id"].to_pylist():
                    yield _as_id(name)


_PLAIN = RECORDS.set(RECORDS.get_field_index("at"), pa.field("at", pa.int64()))


def _row(values: dict[str, Any]) -> Row:
    digests = {name: values[name] and hashlib.sha256(values[name].encode()).digest() for name in BODIES}
    said = tuple((one["rewarder"], one["reason"], one["fault"]) for one in values["said"] or ())
    columns = {
        **{name: values[name] for name in ("writer", "seq", "kind", "step", "sample", "reward", *_TEXTS)},
        **{name: values[name] for name in ("salt", "commitment", "leaf")},
        **digests,
        "id": _as_id(values["id"]),
        "at_ms": values["at"],
        "about": _as_id(values["about"]),
        "outcome": None,
        "said": said_digest(said),
    }
    detail = values["detail"] and values["detail"].encode()
    return Row(columns, detail, "", said, True, True, True)


def _as_id(name: str | None) -> Any:
    try:
        return name and UUID(name).bytes
    except ValueError:
        return name


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise LedgerError(f"{path} cannot be read as an export: {str(error).splitlines()[0]}") from error
