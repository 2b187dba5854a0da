"""The files of an export beside its tables: whose trees it holds, what was left out, and how to check all of it."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rewarders.errors import LedgerError

LEDGER_FILE = "ledger.json"
_CHUNK = 1 << 20
Size = Annotated[int, Field(ge=0, lt=2**63)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]


class File(BaseModel):
    """What a file of an export says, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ExportedWriter(File):
    """A tree of an export."""

    key: str
    """The writer's public key, as signed-note spells it."""
    size: Size
    """How many records the tree has, those included that were left out."""
    frontier: Hex
    """Roots of its full subtrees, left to right."""
    checkpoints: tuple[str, ...]
    """Signed notes, the smallest tree first; only the newest where records were left out."""


class ExportedRubric(File):
    """A rubric that was served."""

    name: str
    """Version included."""
    digest: str
    """What components of records name it by."""
    document: str
    """JSON."""


class ExportedLedger(File):
    """`ledger.json` of an export."""

    format: Literal["assay.export/1"] = "assay.export/1"
    created: str
    """When."""
    wanted: dict[str, Any] | None
    """The filter, if not everything was exported."""
    writers: tuple[ExportedWriter, ...]
    """Every writer of the ledger."""
    rubrics: tuple[ExportedRubric, ...]
    """Every rubric that was ever served."""


def write_text(directory: Path, ledger: ExportedLedger) -> None:
    """Write `ledger.json`. Raises OSError."""
    (directory / LEDGER_FILE).write_text(ledger.model_dump_json(indent=1) + "\n", "utf-8")


def read_ledger(directory: Path) -> ExportedLedger:
    """`ledger.json` of an export. Raises LedgerError where it is none."""
    path = directory / LEDGER_FILE
    try:
        return ExportedLedger.model_validate_json(path.read_bytes())
    except OSError as error:
        raise LedgerError(f"{directory} is no export: {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LedgerError(f"{path} is not that of an export: {where}: {first['msg']}") from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
