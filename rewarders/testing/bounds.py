"""How sure a count can make us: exact (Clopper-Pearson) bounds, by bisection on the binomial tail."""

import math

CONFIDENCE = 0.95


def upper_bound(successes: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The largest rate under which so few successes in so many trials are not implausible, one-sided."""
    if trials == 0 or successes >= trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(successes, trials, middle) > 1 - confidence else (low, middle)
    return high


def lower_bound(successes: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The smallest rate under which so many successes are not implausible, one-sided."""
    return 1.0 - upper_bound(trials - successes, trials, confidence) if trials else 0.0


def _at_most(successes: int, trials: int, rate: float) -> float:
    """Probability of that many successes or fewer."""
    if rate in (0.0, 1.0):
        return float(rate == 0.0)
    yes, no = math.log(rate), math.log1p(-rate)
    return math.fsum(
        math.exp(_log_choose(trials, count) + count * yes + (trials - count) * no) for count in range(successes + 1)
    )


def _log_choose(trials: int, count: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
