"""Detectors of what the logged figures do over many steps. Each is a pure function of metrics.jsonl so far.

A detector answers with its figure, its threshold and what it saw, or with None where there is nothing to say. Until
there are steps enough to compare there never is.
"""

from collections.abc import Mapping, Sequence, Set
from statistics import fmean

from trainer.detectors.section import (
    ComponentsDetector,
    EntropyDetector,
    HeldOutDetector,
    LengthDetector,
    UnscoredDetector,
    ZeroVarianceDetector,
)

History = Sequence[Mapping[str, float]]
"""Lines of metrics.jsonl, oldest first."""
Found = tuple[float, float, str]
"""Figure, threshold, and what was seen."""


def held_out_is_flat(section: HeldOutDetector, history: History) -> Found | None:
    """The training reward rose over the last evaluations, and the held-out tasks did not follow.

    Means of the first two and of the last two evaluations are compared, and of the rewards between either pair.
    """
    key = f"held_out/{section.measure}"
    places = [place for place, line in enumerate(history) if key in line][-section.evaluations :]
    if len(places) < section.evaluations or places[-1] != len(history) - 1:
        return None
    first, last = (_values(history[a + 1 : b + 1], "reward_mean") for a, b in (places[:2], places[-2:]))
    if not (first and last):
        return None
    reward = fmean(last) - fmean(first)
    held_out = _mean_at(history, places[-2:], key) - _mean_at(history, places[:2], key)
    if reward < section.reward_rise or held_out > section.measure_rise:
        return None
    said = f"the reward rose by {reward:.3f} over {len(places)} evaluations and {key} by {held_out:.3f}"
    return held_out, section.measure_rise, said


def length_drifts(section: LengthDetector, history: History) -> Found | None:
    """Completions are many times longer, or shorter, than at first."""
    ends = _first_and_last(history, "length_mean", section.window)
    if ends is None:
        return None
    ratio = max(ends[1], 1e-9) / max(ends[0], 1e-9)
    if 1 / section.ratio <= ratio <= section.ratio:
        return None
    said = f"completions have {ends[1]:.0f} tokens on average, at first {ends[0]:.0f}"
    return ratio, section.ratio if ratio > 1 else 1 / section.ratio, said


def entropy_strays(section: EntropyDetector, history: History) -> Found | None:
    """The policy has next to none of its first entropy left, or many times as much."""
    ends = _first_and_last(history, "entropy", section.window)
    if ends is None:
        return None
    ratio = ends[1] / max(ends[0], 1e-9)
    if section.least_share <= ratio <= section.most_ratio:
        return None
    said = f"the entropy is {ends[1]:.3g} nats a token, at first {ends[0]:.3g}"
    return ratio, section.most_ratio if ratio > 1 else section.least_share, said


def groups_agree(section: ZeroVarianceDetector, history: History) -> Found | None:
    """Almost every group earns the same throughout, so that little is learnt."""
    shares = _values(history[-section.window :], "signal_share")
    if len(shares) < section.window or 1 - fmean(shares) <= section.most_share:
        return None
    silent = 1 - fmean(shares)
    return silent, section.most_share, f"{silent:.1%} of the groups of {len(shares)} steps have no signal"


def components_part(section: ComponentsDetector, history: History, paid: Set[str]) -> Found | None:
    """A paid component rises while another falls, or while a check that must follow stays."""
    rises = {name: _rise(history, name, section.window) for name in paid | set(section.checks)}
    moved = {name: rise for name, rise in rises.items() if rise is not None}
    up = max((name for name in moved if name in paid), key=lambda name: (moved[name], name), default=None)
    if up is None or moved[up] < section.rise:
        return None
    for name in sorted(moved, key=lambda name: (moved[name], name)):
        bound = 0.0 if name in section.checks else -section.fall
        if name != up and moved[name] <= bound:
            said = f"{up} rose by {moved[up]:.3f} in {section.window} steps while {name} moved by {moved[name]:+.3f}"
            return moved[name], bound, said
    return None


def rollouts_go_unscored(section: UnscoredDetector, history: History) -> Found | None:
    """The service fails too often to be trusted with the rest."""
    shares = _values(history[-section.window :], "unscored_share")
    if len(shares) < section.window or fmean(shares) <= section.most_share:
        return None
    said = f"{fmean(shares):.1%} of the rollouts of {len(shares)} steps came back unscored"
    return fmean(shares), section.most_share, said


def _values(lines: History, key: str) -> list[float]:
    return [line[key] for line in lines if key in line]


def _mean_at(history: History, places: Sequence[int], key: str) -> float:
    return fmean(history[place][key] for place in places)


def _first_and_last(history: History, key: str, window: int) -> tuple[float, float] | None:
    """Means over the first and the last `window` steps that have the figure; None while the two overlap."""
    values = _values(history, key)
    return (fmean(values[:window]), fmean(values[-window:])) if len(values) >= 2 * window else None


def _rise(history: History, component: str, window: int) -> float | None:
    """How far the component's mean of the last `window` steps is above that of as many before."""
    values = _values(history[-2 * window :], f"component/{component}")
    return fmean(values[window:]) - fmean(values[:window]) if len(values) == 2 * window else None
