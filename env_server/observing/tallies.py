"""Plain counts that parts of the service keep of themselves. Whoever is interested reads them now and then."""

from dataclasses import dataclass


@dataclass
class WorkerTally:
    """Of one pool of worker processes."""

    alive: int = 0
    started: int = 0
    lost: int = 0
    """Ended by what they ran, or by something outside."""
    recycled: int = 0
    """Replaced although nothing was wrong with them."""


@dataclass
class LedgerTally:
    """Of one writer, since it was opened."""

    commits: int = 0
    records: int = 0
    size_bytes: int = 0
    """Of what was committed, as it was laid out."""
    busy_s: float = 0.0
    """Spent committing."""


@dataclass
class JudgeTally:
    """Of one judge, in this process."""

    asked: int = 0
    """Questions that were sent."""
    remembered: int = 0
    """Questions that had been answered before, or were being answered."""
    tokens: int = 0
    money: float = 0.0
    """In the unit of the configured prices."""
