"""Rollouts to look at: what was asked, what was written, what was paid for it and why."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rewarders.errors import ConfigError
from trainer.log_lines import read_log

Order = Literal["logged", "worst", "best", "diverging"]


def choose_samples(
    run: Path, *, step: int | None = None, component: str = "", order: Order = "logged", count: int = 5
) -> list[dict[str, Any]]:
    """Lines of rollouts.jsonl, `count` of them.

    Args:
        run: the run directory.
        step: only of this step; of all that were kept if None.
        component: order by its score, and only where it has one; by the reward if empty.
        order: `worst` and `best` by reward, where there is one; `diverging` by how far the components' scores differ.
        count: the most there can be.

    Raises:
        ConfigError: there is no run, or nothing in it that was asked for.
    """
    lines = read_log(run, "rollouts.jsonl")
    found = [line for line in lines if step is None or line["step"] == step]
    if not found:
        kept = sorted({line["step"] for line in lines})
        spread = f"from {kept[0]} to {kept[-1]}" if kept else "of none: run.rollouts_kept is 0, or no step is done"
        raise ConfigError(f"--run {run}: no rollouts of step {step}", hint=f"there are some {spread}")
    figure = _figures(order, component)
    ranked = [(figure(line), line) for line in found]
    known = [(value, line) for value, line in ranked if value is not None]
    if not known:
        named = sorted({part["rewarder"] for line in found for part in line["components"]})
        raise ConfigError(
            f"--component {component}: no rollout has a score of it", hint=f"there are {', '.join(named)}"
        )
    if order != "logged":
        known.sort(key=lambda pair: pair[0], reverse=order != "worst")
    return [line for _, line in known[:count]]


def show_samples(samples: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print each in a frame of its own. Nothing that a model wrote reaches the terminal as a command."""
    for sample in samples:
        where = f"step {sample['step']}, task {sample['task_id']}, sample {sample['sample']} of group {sample['group']}"
        console.print(Panel(Group(*_parts(sample)), title=Text(printable(where)), title_align="left"))


def printable(text: str) -> str:
    """Text with control, format and other unseen characters spelled out, but for the ends of lines."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _figures(order: Order, component: str) -> Callable[[Mapping[str, Any]], float | None]:
    def score(line: Mapping[str, Any]) -> float | None:
        known = [part["verdict"]["score"] for part in line["components"] if part["verdict"]]
        named = [part["verdict"]["score"] for part in line["components"] if _is(part, component) and part["verdict"]]
        if component:
            return named[0] if named else None
        if order == "diverging":
            return max(known) - min(known) if known else None
        return 0.0 if order == "logged" else line["reward"]

    return score


def _is(part: Mapping[str, Any], component: str) -> bool:
    return bool(part["rewarder"] == component)


def _parts(sample: Mapping[str, Any]) -> list[RenderableType]:
    asked = [
        Text(f"{message['role']}: {printable(message.get('content') or '')}", style="dim")
        for message in sample["prompt"]
    ]
    paid = f"reward {_number(sample['reward'])}   advantage {_number(sample['advantage'])}   "
    ended = f"{sample['tokens']} tokens, ended by {sample['finish_reason']}   record {sample['record_id']}"
    return [*asked, Text(printable(sample["completion"])), Text(paid + ended, style="bold"), _breakdown(sample)]


def _breakdown(sample: Mapping[str, Any]) -> Table:
    table = Table("component", "score", "reason", "weight", "contribution", box=None, pad_edge=False)
    for part in sample["components"]:
        gate = " (gate)" if part["gate"] else ""
        if part["verdict"]:
            said = (f"{part['verdict']['score']:.3f}", part["verdict"]["reason"])
        else:
            said = ("fault", f"{part['fault']['kind']}: {part['fault']['message'][:200]}")
        row = (part["rewarder"] + gate, *said, f"{part['weight']:g}", f"{part['contribution']:+.3f}")
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"
