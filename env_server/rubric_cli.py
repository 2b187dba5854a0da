"""`env-server rubric`: list, show, diff, explain. Exit codes as everywhere; of `diff`, 1 is a difference in rewards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from env_server.config import ServiceConfig, load_config
from env_server.terminal import AsJson, ConfigFile, out, plain, print_json

if TYPE_CHECKING:
    from rewarders.rubric import Rubric

rubric = typer.Typer(no_args_is_help=True, help="How verdicts become rewards. Needs no server.")

Name = Annotated[str, typer.Argument(help="Name of a rubric, or a TOML file that holds one.")]
Step = Annotated[int | None, typer.Option(help="Step of the run, for weights with a schedule.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where the ledger lives [./assay-data].")]


@rubric.command("list")
def list_rubrics(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Every rubric that a task may name."""
    from env_server.rubric_report import served

    found = served(load_config(config, {}))
    if as_json:
        print_json([{**one.model_dump(mode="json"), "digest": one.digest} for one in found])
        return
    table = Table("rubric", "digest", "parts", "from", box=None, header_style="bold")
    for one in found:
        table.add_row(one.name, one.digest[7:19], ", ".join(part.rewarder for part in one.parts), plain(one.source))
    out.print(table)


@rubric.command()
def show(name: Name, step: Step = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """One rubric, part by part, and what its author may not have meant."""
    from env_server.rubric_report import advice, find

    found = find(load_config(config, {}), name)
    if as_json:
        print_json({**found.model_dump(mode="json"), "digest": found.digest, "advice": advice(found)})
        return
    limits = "" if found.cap is None else f", at most {found.cap:g}"
    out.print(f"[bold]{found.name}[/] {plain(found.description)}\n{found.digest}, {found.aggregate}{limits}")
    table = Table("part", "weight", "gate", "threshold", "cap", "params", box=None, header_style="bold")
    for part, weight in zip(found.parts, found.weights_at(step), strict=True):
        gate = f"settles at {part.settles_at:g}" if part.gate else ""
        table.add_row(
            part.rewarder, f"{weight:g}", gate, f"{part.threshold:g}", f"{part.cap:g}", plain(str(part.params or ""))
        )
    out.print(table)
    for line in advice(found):
        out.print(f"[yellow]note:[/] {plain(line)}")


@rubric.command()
def diff(
    old: Name,
    new: Annotated[str | None, typer.Argument(help="Another one; what the ledger knows by the name if absent.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What differs between two rubrics, or between one and the ledger's. Leaves with 1 if rewards could differ."""
    from env_server.rubric_report import differences, find, recorded

    settings = load_config(config, {"ledger.data_dir": data_dir})
    first = find(settings, old)
    pair = (recorded(settings, first.name), first) if new is None else (first, find(settings, new))
    found = differences(*pair)
    if as_json:
        print_json([{"key": key, "old": was, "new": now} for key, was, now in found])
    for key, was, now in found if not as_json else []:
        out.print(f"{plain(key)}: [red]{plain(str(was))}[/] -> [green]{plain(str(now))}[/]")
    raise typer.Exit(1 if found else 0)


@rubric.command()
def explain(
    name: Name,
    scores: Annotated[list[str], typer.Argument(help="One a part, in order: a number from 0 to 1, or `fault`.")],
    step: Step = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """What a rubric would pay for these scores, and why."""
    from env_server.rubric_report import find, imagined

    settings: ServiceConfig = load_config(config, {})
    found: Rubric = find(settings, name)
    answer: dict[str, Any] = imagined(found, scores, step)
    if as_json:
        print_json(answer)
    else:
        out.print(f"{answer['reward'] if answer['reward'] is not None else 'null'}: {plain(answer['explanation'])}")
