"""Curves of a run as inline SVG, drawn by matplotlib without a display."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

_STYLE = {
    "svg.hashsalt": "trainer",  # the same run draws the same bytes
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: its title and its lines, each the key of a logged metric and what to call it."""

    title: str
    lines: Mapping[str, str]
    band: tuple[str, str] | None = None
    """Keys of the lower and the upper end of an interval around the first line."""


def panels(metrics: Sequence[Mapping[str, float]]) -> list[Panel]:
    """The charts that this run has numbers for."""
    keys = list(dict.fromkeys(key for line in metrics for key in line))
    components = {key: key.removeprefix("component/") for key in keys if key.startswith("component/")}
    held_out = {"held_out/accuracy": "held-out accuracy, 95 % interval"}
    chosen = [
        Panel("Reward, mean of the step", {"reward_mean": "reward"}),
        Panel("Held-out accuracy", held_out, ("held_out/low", "held_out/high")),
        Panel("Components, mean score", components),
        Panel("Groups with signal, unscored rollouts", {"signal_share": "signal", "unscored_share": "unscored"}),
        Panel("Entropy, nats per token", {"entropy": "entropy"}),
        Panel("KL from the starting model, nats per token", {"kl": "k3"}),
        Panel("Length, tokens", {"length_mean": "mean length"}),
        Panel("Gradient norm, before clipping", {"grad_norm": "gradient norm"}),
    ]
    return [panel for panel in chosen if any(key in keys for key in panel.lines)]


def draw_svg(panel: Panel, metrics: Sequence[Mapping[str, float]]) -> str:
    """One chart as an `<svg>` element. Text in it is escaped by matplotlib."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 2.6), layout="constrained")
        axes = figure.add_subplot()
        for key, name in panel.lines.items():
            steps, values = _series(metrics, key)
            # a literal name: a dollar sign would start mathematics, a leading underscore would hide the line
            axes.plot(steps, values, label=" " + name.replace("$", r"\$"), linewidth=1.4, marker=_marker(steps))
        if panel.band:
            (steps, low), (_, high) = (_series(metrics, key) for key in panel.band)
            axes.fill_between(steps, low, high, alpha=0.18, linewidth=0)
        axes.set_title(panel.title, loc="left", fontsize=10)
        axes.set_xlabel("step")
        if len(panel.lines) > 1:
            axes.legend(frameon=False, fontsize=8)
        return _svg(figure)


def _series(metrics: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    pairs = [(line["step"], line[key]) for line in metrics if key in line]
    return [step for step, _ in pairs], [value for _, value in pairs]


def _marker(steps: Sequence[float]) -> str:
    return "o" if len(steps) < 20 else ""


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]  # an XML declaration has no place inside a page
