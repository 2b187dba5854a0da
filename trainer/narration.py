"""One line a step that explains itself."""

from collections.abc import Mapping

_SHARES = {"signal": "signal_share", "unscored": "unscored_share"}
_NUMBERS = {"kl": "kl", "entropy": "entropy", "length": "length_mean", "grad": "grad_norm"}


def step_line(step: int, steps: int, metrics: Mapping[str, float]) -> str:
    """What a step did: reward, each component, share of groups with signal, and how the policy moved."""
    parts = [f"step {step}/{steps}"]
    if "reward_mean" in metrics:
        parts.append(f"reward {metrics['reward_mean']:.3f}")
    parts += [f"{name[10:]} {mean:.3f}" for name, mean in metrics.items() if name.startswith("component/")]
    parts += [f"{label} {metrics[key]:.0%}" for label, key in _SHARES.items() if key in metrics]
    parts += [f"{label} {metrics[key]:.3g}" for label, key in _NUMBERS.items() if key in metrics]
    if metrics.get("stepped") == 0:
        parts.append("weights unchanged: no group disagrees about its task")
    if "held_out/accuracy" in metrics:
        parts.append(held_out_line(metrics))
    return "  ".join(parts)


def held_out_line(metrics: Mapping[str, float]) -> str:
    """Held-out accuracy with its interval."""
    accuracy, low, high = (metrics[f"held_out/{name}"] for name in ("accuracy", "low", "high"))
    return f"held-out {accuracy:.1%} [{low:.1%}, {high:.1%}]"
