"""Options by which commands are told which records are meant."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from env_server.record_filter import OwnedFilter, moment
from rewarders.errors import ConfigError
from rewarders.registry import first_problem

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where the ledger lives [./assay-data].")]
Url = Annotated[str | None, typer.Option(help="PostgreSQL database of the ledger, without a password.")]
Run = Annotated[str | None, typer.Option(help="Of this training run.")]
Tenant = Annotated[str | None, typer.Option(help="Of this tenant, whose key it was.")]
Step = Annotated[str | None, typer.Option(help="Of this step, or of a range: 100, 100.., ..200, 100..200.")]
Group = Annotated[str | None, typer.Option(help="Of this group.")]
Task = Annotated[str | None, typer.Option(help="Of the task with this id.")]
Rubric = Annotated[str | None, typer.Option(help="Scored by this rubric.")]
Rewarder = Annotated[str | None, typer.Option(help="Of which this rewarder said something.")]
Reason = Annotated[str | None, typer.Option(help="For this reason, or with this kind of fault.")]
Status = Annotated[str | None, typer.Option(help="scored or unscored.")]
Since = Annotated[str | None, typer.Option(help="From then on: 2026-03-01T12:00 (UTC), or how long ago: 90m, 24h, 7d.")]
Until = Annotated[str | None, typer.Option(help="Before then.")]
Reward = Annotated[str | None, typer.Option(help="With this reward, or one in a range: 0..0.5.")]


def record_filter(
    *, step: str | None = None, reward: str | None = None, since: str | None = None, until: str | None = None,
    **others: Any,
) -> OwnedFilter:  # fmt: skip
    """The filter that the options ask for. Raises ConfigError naming the option."""
    given = {name: value for name, value in others.items() if value is not None}
    ranges = {**_range("step", step), **_range("reward", reward)}
    try:
        return OwnedFilter.model_validate(
            {**given, **ranges, "since": moment(since, "--since"), "until": moment(until, "--until")}
        )
    except ValidationError as error:
        raise ConfigError(f"--{first_problem(error)}") from error


def _range(name: str, text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    low, dots, high = text.partition("..")
    if not dots and name == "step":
        return {"step": text}
    bounds = {f"{name}_min": low, f"{name}_max": high if dots else low}
    return {bound: value for bound, value in bounds.items() if value}
