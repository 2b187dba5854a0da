"""What a call is expected to give. Expectations stay in this process; only values come to them."""

import math
from dataclasses import dataclass
from typing import Protocol

from rewarders.programs.plain import Plain, Rules, equal, truth


class Expectation(Protocol):
    """Says whether a value is right."""

    def met_by(self, value: Plain) -> bool:
        """Whether the value is what was expected."""
        ...


@dataclass(frozen=True, slots=True)
class Equals:
    """The value itself."""

    expected: Plain
    rules: Rules

    def met_by(self, value: Plain) -> bool:
        """Equal under the rules."""
        return equal(self.expected, value, self.rules)


@dataclass(frozen=True, slots=True)
class Differs:
    """Anything but one value."""

    unexpected: Plain
    rules: Rules

    def met_by(self, value: Plain) -> bool:
        """Not equal under the rules."""
        return not equal(self.unexpected, value, self.rules)


@dataclass(frozen=True, slots=True)
class Holds:
    """Anything that is true, or anything that is not, as `bool` says."""

    truth: bool

    def met_by(self, value: Plain) -> bool:
        """As true as expected."""
        return truth(value) == self.truth


@dataclass(frozen=True, slots=True)
class Near:
    """A number at a distance below `limit`, or at most that where `closed`."""

    centre: float
    limit: float
    closed: bool

    def met_by(self, value: Plain) -> bool:
        """Near enough; a boolean is no number."""
        if type(value) not in (int, float):
            return False
        try:
            distance = abs(value - self.centre)  # type: ignore[operator]
        except OverflowError:
            return False
        return distance <= self.limit if self.closed else distance < self.limit


@dataclass(frozen=True, slots=True)
class Close:
    """A number that `math.isclose` takes for another."""

    expected: float
    relative: float
    absolute: float

    def met_by(self, value: Plain) -> bool:
        """Close enough; a boolean is no number."""
        if type(value) not in (int, float):
            return False
        try:
            return math.isclose(value, self.expected, rel_tol=self.relative, abs_tol=self.absolute)  # type: ignore[arg-type]
        except OverflowError:
            return False


@dataclass(frozen=True, slots=True)
class CallCase:
    """One call and what it should give."""

    request: bytes
    """What the driver beside the candidate reads: entry point and arguments, nothing else."""
    expectation: Expectation
