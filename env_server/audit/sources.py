"""Where what is to be verified comes from: a database or an export, the same to whoever verifies it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from env_server.ledger.merkle import Span


class Signed(NamedTuple):
    """A checkpoint as it is kept: its note, and what the columns beside it say of the note."""

    size: int
    root: bytes
    at_ms: int
    note: str
    kept_in: str = ""
    """The file, where it was kept outside the ledger."""


@dataclass(frozen=True)
class Writer:
    """A writer's tree as the ledger says it is."""

    id: int
    name: str
    public_key: bytes
    size: int
    frontier: bytes
    records: int = 0
    """How many there are."""
    end: int = 0
    """Past the last of them that is within `size`."""
    strays: int = 0
    """Those that are not."""
    checkpoints: tuple[Signed, ...] = ()
    """The smallest first."""


class Row(NamedTuple):
    """A record with all that its leaf and its commitment were made of."""

    columns: dict[str, Any]
    """Every column of `records`, and `said`: the digest of what the ledger has under `outcome`."""
    detail: bytes | None
    """What was said, as it was hashed; None where there is nothing, or where it cannot be read."""
    detail_problem: str
    """Why it cannot be read."""
    said: tuple[tuple[str, str, bool], ...] | None
    """The searchable form: rewarder, reason, whether it is a fault. None where the ledger has none under its number."""
    has_task: bool
    """Whether the body that `task` names is there."""
    has_completion: bool
    has_instrument: bool


class Left(NamedTuple):
    """A full subtree whose records were left out of an export."""

    seq: int
    height: int
    root: bytes


class Source(Protocol):
    """A ledger that can be read. It is sent to other processes, so it holds no connection."""

    @property
    def whole(self) -> bool:
        """Whether it is all of a ledger, rather than what a filter let through."""
        ...

    def writers(self) -> list[Writer]:
        """Every writer with its checkpoints. Raises LedgerError."""
        ...

    def spans(self, writer: Writer) -> list[Span]:
        """The records of a tree in pieces that are read at once."""
        ...

    def rows(self, writer: Writer, span: Span) -> Iterator[Row]:
        """The records of a piece in order of `seq`. Raises LedgerError."""
        ...

    def left_out(self, writer: Writer) -> Iterator[Left]:
        """What an export does without, in order of `seq`."""
        ...

    def wrong_bodies(self) -> Iterator[bytes]:
        """Digests of bodies that are not what they are found by. Raises LedgerError."""
        ...

    def unknown(self, ids: set[bytes]) -> set[bytes]:
        """Which of the ids no record has. Raises LedgerError."""
        ...
