"""A profile as a table and as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rewarders.errors import ConfigError

_COLOURS = {
    "sampling": "#4e79a7",
    "grading": "#f28e2b",
    "log_probs": "#59a14f",
    "backward": "#8cd17d",
    "learning": "#59a14f",
    "optimiser": "#b6992d",
    "sync": "#b07aa1",
    "idle": "#e15759",
    "rest": "#bab0ac",
}
_MOST_BARS = 60


def show(found: Mapping[str, Any], console: Console) -> None:
    """Where a step's time goes on average, and below that what it comes to."""
    mean = found["mean"]
    steps = found["steps"]
    title = f"{found['run']}: steps {steps[0]['step']} to {steps[-1]['step']}, mean {mean['whole_s']:.3f} s"
    table = Table(title=title, title_justify="left")
    for heading in ("phase", "seconds", "share", "beside it"):
        table.add_column(heading, justify="left" if heading == "phase" else "right")
    for name in dict.fromkeys([*mean["phases_s"], *mean["beside_s"]]):
        spent, beside = mean["phases_s"].get(name, 0.0), mean["beside_s"].get(name, 0.0)
        share = f"{spent / mean['whole_s']:.1%}"
        table.add_row(name.replace("_", " "), f"{spent:.4f}", share, f"{beside:.4f}" if beside else "")
    console.print(table)
    for name, value in _facts(found):
        console.print(f"{name:28} {value}", highlight=False, markup=False, soft_wrap=True)


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    mean = found["mean"]
    facts = [("new tokens a second", f"{mean['tokens_per_second']:,.0f}")]
    if "peak_memory_bytes" in mean:
        facts.append(("peak memory", f"{max(s.get('peak_memory_bytes', 0) for s in found['steps']) / 2**20:,.0f} MiB"))
    for name, flops in mean.get("flops", {}).items():
        facts.append((f"operations of {name}", f"{flops / 1e9:,.1f} GFLOP a step"))
    for name, share in mean.get("mfu", {}).items():
        facts.append((f"utilisation of the {name}" if name == "step" else f"utilisation while {name}", f"{share:.1%}"))
    if found["peak"]:
        facts.append(("peak of the device", f"{found['peak']['flops'] / 1e12:,.3f} TFLOP/s, {found['peak']['source']}"))
    return facts


def draw(found: Mapping[str, Any], path: Path) -> None:
    """A stacked bar a step, as PNG or SVG by the file's ending. Raises ConfigError if it cannot be written."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    steps = found["steps"][:_MOST_BARS]
    with mpl.rc_context({"svg.hashsalt": "trainer", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(min(12.0, 4 + 0.3 * len(steps)), 4), layout="constrained")
        axes = figure.add_subplot()
        places, base = [str(step["step"]) for step in steps], [0.0] * len(steps)
        for name in found["mean"]["phases_s"]:
            heights = [step["phases_s"].get(name, 0.0) for step in steps]
            if any(heights):
                label = name.replace("_", " ")
                axes.bar(places, heights, bottom=base, label=label, color=_COLOURS.get(name), width=0.85)
            base = [below + height for below, height in zip(base, heights, strict=True)]
        axes.set_xlabel("step")
        axes.set_ylabel("seconds")
        axes.set_title("Where each step's time goes", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
        try:
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
        except (OSError, ValueError) as error:
            raise ConfigError(f"--picture {path}: {error}", hint="name a file that ends in .png or .svg") from error
