"""A page about a run that needs nothing beside itself: no network, no scripts, everything inline."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rewarders.errors import ConfigError
from trainer.atomic import write_atomically
from trainer.curves import draw_svg, panels
from trainer.log_lines import read_log

_ROLLOUTS_SHOWN = 10


def write_report(run: Path, out: Path, before: Path | None = None, after: Path | None = None) -> None:
    """Write the page about the run directory `run` to `out`.

    `before` and `after` are what `trainer eval --json` printed; either adds a column with its interval.

    Raises:
        ConfigError: `run` holds no run, or an evaluation cannot be read.
    """
    metrics = read_log(run, "metrics.jsonl")
    if not metrics:
        raise ConfigError(f"{run} has logged no step yet")
    page = _template().render(
        config=_document(run / "config.json"),
        manifest=_document(run / "manifest.json"),
        first=metrics[0],
        last=metrics[-1],
        charts=[Markup(draw_svg(panel, metrics)) for panel in panels(metrics)],
        evaluations=_evaluations(before, after),
        alarms=_alarms(run),
        rollouts=_spread(read_log(run, "rollouts.jsonl"), _ROLLOUTS_SHOWN),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page)


def _template() -> Any:
    """The page. Every value in it is escaped: what a model wrote is text and never markup."""
    environment = Environment(
        loader=PackageLoader("trainer", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=1, ensure_ascii=False)
    environment.filters["number"] = lambda value: "unscored" if value is None else f"{value:.3f}"
    return environment.get_template("report.html")


def _alarms(run: Path) -> list[dict[str, Any]]:
    """Of each detector that spoke the first alarm, and on how many steps there was one."""
    lines = read_log(run, "alarms.jsonl") if (run / "alarms.jsonl").exists() else []
    first = {line["detector"]: line for line in reversed(lines)}
    counted = Counter(line["detector"] for line in lines)
    return sorted(({**line, "times": counted[name]} for name, line in first.items()), key=lambda line: line["step"])


def _document(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return found


def _evaluations(before: Path | None, after: Path | None) -> dict[str, Any] | None:
    """Rows of the table: accuracy with its interval, reward, each component, what was unscored."""
    found = {name: _evaluation(path) for name, path in (("before", before), ("after", after)) if path}
    if not found:
        return None
    columns = list(found.values())
    components = list(dict.fromkeys(name for column in columns for name in column["components"]))
    rows = [("accuracy (pass@1)", [_with_interval(column) for column in columns])]
    rows.append(("reward", [f"{column['reward']:.3f}" for column in columns]))
    for name in components:
        means = [column["components"].get(name) for column in columns]
        rows.append((name, ["absent" if mean is None else f"{mean:.3f}" for mean in means]))
    rows.append(("length, tokens", [f"{column['length']:.1f}" for column in columns]))
    rows.append(("tasks", [str(column["tasks"]) for column in columns]))
    rows.append(("unscored completions", [str(column["unscored"]) for column in columns]))
    return {"names": list(found), "rows": rows}


def _evaluation(path: Path) -> dict[str, Any]:
    found = _document(path)
    missing = {"accuracy", "low", "high", "reward", "components", "length", "tasks", "unscored"} - found.keys()
    if missing:
        raise ConfigError(
            f"{path} is no evaluation: {', '.join(sorted(missing))} missing", hint="use `trainer eval --json`"
        )
    return found


def _with_interval(column: Mapping[str, Any]) -> str:
    return f"{column['accuracy']:.1%} [{column['low']:.1%}, {column['high']:.1%}]"


def _spread(lines: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """`count` lines from the first to the last, so that the page shows how the policy changed."""
    if len(lines) <= count:
        return list(lines)
    return [lines[round(place * (len(lines) - 1) / (count - 1))] for place in range(count)]
