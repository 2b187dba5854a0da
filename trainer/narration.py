"""One line a step that explains itself."""

import time
from collections.abc import Callable, Mapping

_SHARES = {"signal": "signal_share", "unscored": "unscored_share"}
_NUMBERS = {"kl": "kl", "entropy": "entropy", "length": "length_mean", "grad": "grad_norm"}
ON_POLICY = (
    "a loss near 0 is no fault: while the policy is the one that sampled, every ratio is 1 and the advantages of a "
    "group add up to 0. Watch reward, signal and entropy."
)
_NEAR_ZERO = 0.01


class Narrator:
    """Tells how a run goes, step by step, and how long it has to go."""

    def __init__(self, steps: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._steps = steps
        self._clock = clock
        self._before = clock()
        self._mean_s = 0.0
        self._told = False

    def line(self, step: int, metrics: Mapping[str, float]) -> str:
        """What step `step` did, new tokens a second over all of it, and the time left at the pace of late."""
        now = self._clock()
        took, self._before = now - self._before, now
        self._mean_s = took if self._mean_s == 0.0 else 0.8 * self._mean_s + 0.2 * took
        pace = f"{metrics.get('tokens', 0.0) / max(took, 1e-9):,.0f} tokens/s"
        left = f"  {duration((self._steps - step) * self._mean_s)} left" if step < self._steps else ""
        return f"{step_line(step, self._steps, metrics)}  {pace}{left}{self._once(metrics)}"

    def _once(self, metrics: Mapping[str, float]) -> str:
        if self._told or abs(metrics.get("loss", 1.0)) > _NEAR_ZERO:
            return ""
        self._told = True
        return f"\n  {ON_POLICY}"


def step_line(step: int, steps: int, metrics: Mapping[str, float]) -> str:
    """What a step did: reward, each component, share of groups with signal, how the policy moved, alarms."""
    parts = [f"step {step}/{steps}"]
    if "reward_mean" in metrics:
        parts.append(f"reward {metrics['reward_mean']:.3f}")
    parts += [f"{name[10:]} {mean:.3f}" for name, mean in metrics.items() if name.startswith("component/")]
    parts += [f"{label} {metrics[key]:.0%}" for label, key in _SHARES.items() if key in metrics]
    parts += [f"{label} {metrics[key]:.3g}" for label, key in _NUMBERS.items() if key in metrics]
    alarms = [name.removeprefix("alarm/") for name in metrics if name.startswith("alarm/") and name.count("/") == 1]
    if alarms:
        parts.append(f"alarms: {', '.join(alarms)}")
    if metrics.get("stepped") == 0:
        parts.append("weights unchanged: no group disagrees about its task")
    if "held_out/accuracy" in metrics:
        parts.append(held_out_line(metrics))
    return "  ".join(parts)


def held_out_line(metrics: Mapping[str, float]) -> str:
    """Held-out accuracy with its interval."""
    accuracy, low, high = (metrics[f"held_out/{name}"] for name in ("accuracy", "low", "high"))
    return f"held-out {accuracy:.1%} [{low:.1%}, {high:.1%}]"


def duration(seconds: float) -> str:
    """Two units are enough: `3 h 20 min`, `4 min 5 s`, `12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
