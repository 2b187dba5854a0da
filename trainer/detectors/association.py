"""Whether having a string goes with reward, among completions of one task: a permutation test within groups.

Tasks differ in how hard they are, so only differences within a group count. If the n rewards of a group fell to its
completions by lot, the sum of the rewards of the k that have the string, less k times the group's mean, would have
mean 0 and variance k (n - k) / n * sum((r - mean)^2) / (n - 1). Sums over groups and steps add up.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SAME = 1e-9

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Association:
    """What some groups say about one string; add two of them for what both say."""

    gain: float = 0.0
    """Reward above the group's mean, summed over the completions that have the string."""
    variance: float = 0.0
    """Of `gain`, if the rewards fell by lot."""
    having: float = 0.0
    """Sum of squares of having the string, about the mean of each group that tells something."""
    paying: float = 0.0
    """Sum of squares of the rewards in these groups."""
    telling: int = 0
    """Groups where some have the string and some have not, and where it could show: those that all earn the most there
    is are left out, and those that all earn the same but less are not, since the string did not pay there."""
    agreeing: int = 0
    """Of these, those where the string goes with more reward."""
    reached: int = 0
    """Groups where some completion has the string."""
    expected: float = 0.0
    """How many there would be, if it were strewn over the completions without regard to the task."""

    @classmethod
    def of(cls, numbers: Iterable[float]) -> "Association":
        """From what `numbers` gave."""
        gain, variance, having, paying, telling, agreeing, reached, expected = numbers
        return cls(gain, variance, having, paying, int(telling), int(agreeing), int(reached), expected)

    def __add__(self, other: "Association") -> "Association":
        return Association.of(map(operator.add, self.numbers(), other.numbers()))

    def numbers(self) -> tuple[float, ...]:
        """The fields in their order, as they are kept on disk."""
        sums = (self.gain, self.variance, self.having, self.paying)
        return (*sums, self.telling, self.agreeing, self.reached, self.expected)

    @property
    def deviations(self) -> float:
        """Standard deviations from chance."""
        return self.gain / math.sqrt(self.variance) if self.variance > 0 else 0.0

    @property
    def correlation(self) -> float:
        """Of having the string with the reward, within groups."""
        product = self.having * self.paying
        return self.gain / math.sqrt(product) if product > 0 else 0.0

    @property
    def agreement(self) -> float:
        """Share of the telling groups that agree."""
        return self.agreeing / self.telling if self.telling else 0.0

    @property
    def spread(self) -> float:
        """Groups with the string over those there would be by chance."""
        return self.reached / self.expected if self.expected else 0.0


def associations(present: npt.NDArray[np.bool_], reward: Sequence[float], group: Sequence[int]) -> list[Association]:
    """For each of C strings, what the N scored completions of a step say: `present` is `[C, N]`.

    Sums are in the order of the rows, not left to a linear algebra library, so that they are the same every time.
    """
    if not present.size:
        return [Association()] * len(present)
    order = np.argsort(np.asarray(group), kind="stable")
    starts = np.flatnonzero(np.diff(np.asarray(group)[order], prepend=min(group) - 1))
    size = np.diff(np.append(starts, len(order))).astype(np.float64)  # [G]
    paid = np.asarray(reward, dtype=np.float64)[order]
    top, mean = paid.max(), np.add.reduceat(paid, starts) / size
    paid = paid - np.repeat(mean, size.astype(np.int64))
    squares = np.add.reduceat(paid * paid, starts)  # [G]
    have = present[:, order].astype(np.float64)
    count = np.add.reduceat(have, starts, axis=1)  # [C, G]
    gain = np.add.reduceat(have * paid, starts, axis=1)
    telling = (count > 0) & (count < size) & ((squares > _SAME) | (mean < top - _SAME))
    having = np.where(telling, count * (size - count) / size, 0.0)
    share = have.mean(axis=1, keepdims=True)
    columns = (
        np.where(telling, gain, 0.0).sum(1),
        (having * squares / np.maximum(size - 1, 1)).sum(1),
        having.sum(1),
        np.where(telling, squares, 0.0).sum(1),
        telling.sum(1),
        (telling & (gain > _SAME)).sum(1),
        (count > 0).sum(1),
        (1 - (1 - share) ** size).sum(1),
    )
    return [Association.of(round(float(value), 9) for value in row) for row in zip(*columns, strict=True)]
