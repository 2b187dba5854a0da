"""Intervals of shares and of means, 95 %, two-sided. Pure."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_TAIL = 0.025
_HALVINGS = 200
_MOST_TERMS = 10_000
_TINY = 1e-300
_CLOSE = 1e-15


def clopper_pearson(hits: int, count: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson, 1934): it covers the truth at least 95 times in 100."""
    if count == 0:
        return 0.0, 1.0
    low = 0.0 if hits == 0 else _root(lambda p: beta_share(p, hits, count - hits + 1), _TAIL, 1.0)
    high = 1.0 if hits == count else _root(lambda p: beta_share(p, hits + 1, count - hits), 1 - _TAIL, 1.0)
    return low, high


@dataclass
class ClusteredMean:
    """A mean of numbers of which those in one cluster lean the same way, added up as they come."""

    _sums: dict[object, tuple[float, int]] = field(default_factory=dict)

    def add(self, cluster: object, value: float) -> None:
        """Count one more."""
        total, count = self._sums.get(cluster, (0.0, 0))
        self._sums[cluster] = (total + value, count + 1)

    @property
    def count(self) -> int:
        """How many numbers."""
        return sum(count for _, count in self._sums.values())

    @property
    def clusters(self) -> int:
        """In how many clusters."""
        return len(self._sums)

    @property
    def mean(self) -> float | None:
        """None of nothing."""
        return math.fsum(total for total, _ in self._sums.values()) / self.count if self._sums else None

    def interval(self) -> tuple[float, float] | None:
        """By the cluster-robust error of the mean and Student's t; None below two clusters."""
        clusters, mean = self.clusters, self.mean
        if mean is None or clusters < 2:
            return None
        squares = math.fsum((total - count * mean) ** 2 for total, count in self._sums.values())
        error = math.sqrt(clusters / (clusters - 1) * squares) / self.count
        spread = student_t(clusters - 1) * error
        return mean - spread, mean + spread


def student_t(freedom: int) -> float:
    """The 97.5 % point of Student's t."""

    def inside(t: float) -> float:
        """Chance of a value between -t and t."""
        return 1 - beta_share(freedom / (freedom + t * t), freedom / 2, 0.5)

    return _root(inside, 1 - 2 * _TAIL, 1e3)


def beta_share(x: float, a: float, b: float) -> float:
    """The share of the beta distribution (a, b) that lies below x: the regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, ask from the other end
        return 1 - beta_share(1 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(scale) / a / _fraction(_terms(x, a, b))


def _terms(x: float, a: float, b: float) -> Iterable[float]:
    """Coefficients of the continued fraction (DLMF 8.17.22)."""
    for m in range(_MOST_TERMS):
        if m:
            yield m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))


def _fraction(terms: Iterable[float]) -> float:
    """1 + t1/(1 + t2/(1 + ...)), from the front (Lentz)."""
    value, above, below = 1.0, 1.0, 0.0
    for term in terms:
        below = 1 / (1 + term * below or _TINY)
        above = 1 + term / above or _TINY
        value *= above * below
        if abs(above * below - 1) < _CLOSE:
            break
    return value


def _root(rising: Callable[[float], float], wanted: float, high: float) -> float:
    """Where a function that rises from 0 reaches a value, by halving."""
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2
