"""How well one set of labels agrees with another, each figure with an interval. Pure.

Intervals are 95 %. Shares have the exact one; all else the percentile bootstrap over items (1,000 draws, a fixed seed),
so that every figure is treated in one way and the same data give the same interval.
"""

import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from env_server.judges.calibrations import Figure
from rewarders.testing.bounds import lower_bound, upper_bound

T = TypeVar("T")
_ONE_SIDED = 0.975
"""Both ends together leave out 5 %."""
_DRAWS = 1000
_BINS = 10
_HALF = 0.5


@dataclass(frozen=True)
class Rated:
    """One labelled item and what the judge made of it."""

    label: bool
    score: float

    @property
    def accepted(self) -> bool:
        """Whether the judge says yes."""
        return self.score >= _HALF


def share(hits: int, count: int) -> Figure:
    """A proportion with its exact interval (Clopper and Pearson, 1934)."""
    if count == 0:
        return Figure(value=None)
    low, high = lower_bound(hits, count, _ONE_SIDED), upper_bound(hits, count, _ONE_SIDED)
    return Figure(value=hits / count, low=low, high=high)


def accuracy(rated: Sequence[Rated]) -> Figure:
    """Share of items on which judge and label agree."""
    return share(sum(one.accepted == one.label for one in rated), len(rated))


def sensitivity(rated: Sequence[Rated]) -> Figure:
    """Share of good items that are accepted."""
    good = [one for one in rated if one.label]
    return share(sum(one.accepted for one in good), len(good))


def specificity(rated: Sequence[Rated]) -> Figure:
    """Share of bad items that are rejected."""
    bad = [one for one in rated if not one.label]
    return share(sum(not one.accepted for one in bad), len(bad))


def kappa(rated: Sequence[Rated]) -> float | None:
    """Cohen's kappa of judge and label."""
    return cohen([one.label for one in rated], [one.accepted for one in rated])


def auroc(rated: Sequence[Rated]) -> float | None:
    """Chance that a good item scores above a bad one, ties counting half (Mann-Whitney)."""
    good, bad = sum(one.label for one in rated), sum(not one.label for one in rated)
    if not good or not bad:
        return None
    ranks, begin = 0.0, 0
    ordered = sorted(rated, key=lambda one: one.score)
    while begin < len(ordered):
        end = begin
        while end < len(ordered) and ordered[end].score == ordered[begin].score:
            end += 1
        ranks += (begin + end + 1) / 2 * sum(one.label for one in ordered[begin:end])
        begin = end
    return (ranks - good * (good + 1) / 2) / (good * bad)


def ece(rated: Sequence[Rated]) -> float | None:
    """Expected calibration error over ten bins of equal width: how far scores are from the shares they promise."""
    if not rated:
        return None
    bins: dict[int, list[Rated]] = {}
    for one in rated:
        bins.setdefault(min(int(one.score * _BINS), _BINS - 1), []).append(one)
    gaps = (abs(sum(one.score for one in held) - sum(one.label for one in held)) for held in bins.values())
    return sum(gaps) / len(rated)


def corrected_rate(rated: Sequence[Rated]) -> float | None:
    """Share of good items behind the share that is accepted (Rogan and Gladen, 1978), within [0, 1].

    None where the judge does no better than chance.
    """
    true_positive, true_negative = sensitivity(rated).value, specificity(rated).value
    if true_positive is None or true_negative is None:
        return None
    return rogan_gladen(sum(one.accepted for one in rated) / len(rated), true_positive, true_negative)


def rogan_gladen(observed: float, true_positive: float, true_negative: float) -> float | None:
    """The rate that was there, from the rate observed and the judge's sensitivity and specificity."""
    informative = true_positive + true_negative - 1
    return min(max((observed + true_negative - 1) / informative, 0.0), 1.0) if informative > 0 else None


def bootstrapped(statistic: Callable[[Sequence[T]], float | None], items: Sequence[T]) -> Figure:
    """A statistic of the items with its interval; draws that it says nothing of are left out."""
    value = statistic(items)
    if value is None:
        return Figure(value=None)
    draw = random.Random(0)
    drawn = (statistic(draw.choices(items, k=len(items))) for _ in range(_DRAWS))
    found = sorted(one for one in drawn if one is not None)
    return Figure(value=value, low=found[int(0.025 * len(found))], high=found[int(0.975 * (len(found) - 1))])


def cohen(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa of two raters (1960): agreement beyond chance. None where chance alone agrees on everything."""
    count = len(first)
    agreed = sum(one == other for one, other in zip(first, second, strict=True))
    left, right = Counter(first), Counter(second)
    by_chance = sum(left[value] * right[value] for value in left) / (count * count) if count else 1.0
    return (agreed / count - by_chance) / (1 - by_chance) if by_chance < 1 else None


def nominal(one: float, other: float) -> float:
    """Squared distance of two labels that are names."""
    return float(one != other)


def interval(one: float, other: float) -> float:
    """Squared distance of two labels that are measures."""
    return (one - other) ** 2


def krippendorff(units: Sequence[Sequence[float]], distance: Callable[[float, float], float] = nominal) -> float | None:
    """Krippendorff's alpha (2011): agreement of any number of raters, beyond chance.

    Args:
        units: what the raters said of each unit; those who said nothing are left out.
        distance: squared distance of two labels, `nominal` or `interval`.

    Returns:
        1 for agreement, 0 for chance; None where nothing can be compared, or every label is the same.
    """
    paired = [unit for unit in units if len(unit) > 1]
    total = Counter(value for unit in paired for value in unit)
    count = total.total()
    observed = sum(_disagreement(Counter(unit), distance) / (len(unit) - 1) for unit in paired)
    expected = _disagreement(total, distance)
    return 1 - (count - 1) * observed / expected if expected else None


def _disagreement(counts: Counter[float], distance: Callable[[float, float], float]) -> float:
    """Summed over all ordered pairs of labels."""
    return sum(m * n * distance(one, other) for one, m in counts.items() for other, n in counts.items())
