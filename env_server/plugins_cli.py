"""`env-server plugins`: list, show, new, test, audit. Exit code 1 is a rewarder that breaks its contract."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from env_server.config import ServiceConfig, load_config
from env_server.terminal import AsJson, ConfigFile, err, mark, out, plain, print_json
from rewarders.errors import ConfigError, PluginError
from rewarders.registry import RewarderSpec

if TYPE_CHECKING:
    from env_server.plugins_exam import ScoreCard
    from rewarders.testing import Report

plugins = typer.Typer(no_args_is_help=True, help="The rewarders that are installed, and how to make one.")

Cases = Annotated[
    Path | None, typer.Option("--cases", help="JSONL; cases/NAME.jsonl in the rewarder's package if not given.")
]
_SHOWN_FINDINGS = 10


@plugins.command("list")
def list_them(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the rewarders that are loaded, and who supplied them."""
    specs, troubles = _specs(load_config(config, {}))
    if as_json:
        print_json([spec.describe() for spec in specs])
        return
    table = Table("rewarder", "version", "from", "what it does", box=None, header_style="bold")
    for spec in specs:
        table.add_row(spec.name, spec.version, spec.distribution, plain(spec.summary))
    out.print(table)
    for trouble in troubles:
        err.print(f"{mark(False)} {plain(trouble)}")


@plugins.command()
def show(name: str, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one rewarder: version, origin, parameters, and what it reads of a task's reference."""
    spec = _spec(load_config(config, {}), name)
    if as_json:
        print_json(spec.describe())
    else:
        _print_spec(spec)


@plugins.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the package, team first: acme-rewards.")],
    into: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
) -> None:
    """Write a package with a rewarder, its cases, its test and its CI, which passes at once."""
    from env_server.plugins_new import write_plugin

    for path in write_plugin(name, into):
        out.print(plain(str(path)), highlight=False)
    team = name.partition("-")[0]
    err.print(f"next: [bold]cd {into / name} && pip install -e . && env-server plugins test {team}.quotes[/]")


@plugins.command("test")
def examine_one(name: str, cases: Cases = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Put one rewarder through the twelve checks of its contract. Leaves with 1 if it breaks it."""
    from env_server.plugins_exam import examine_spec

    report = examine_spec(load_config(config, {}), _spec(load_config(config, {}), name), cases)
    if as_json:
        print_json(report.as_json())
    else:
        _print_report(report)
    raise typer.Exit(0 if report.ok else 1)


@plugins.command()
def audit(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """A score card of every rewarder. Leaves with 1 if one breaks its contract, with 3 if one cannot be examined."""
    from env_server.plugins_exam import score_cards

    settings = load_config(config, {})
    specs, troubles = _specs(settings)
    cards = [*score_cards(settings, specs)]
    if as_json:
        print_json({"rewarders": [card.as_json() for card in cards], "troubles": troubles})
    else:
        _print_cards(cards)
    for trouble in troubles:
        err.print(f"{mark(False)} {plain(trouble)}")
    if any(card.report and not card.report.ok for card in cards):
        raise typer.Exit(1)
    raise typer.Exit(3 if troubles or any(card.report is None for card in cards) else 0)


def _specs(config: ServiceConfig) -> tuple[list[RewarderSpec], list[str]]:
    """Every rewarder there is, and what is wrong with the isolated plug-ins."""
    from env_server.isolation import load_plugins

    loaded = load_plugins(config)
    return [*loaded.usable], [*loaded.troubles]


def _spec(config: ServiceConfig, name: str) -> RewarderSpec:
    specs, troubles = _specs(config)
    found = next((spec for spec in specs if spec.name == name), None)
    if found is None:
        if troubles:
            raise PluginError(f"there is no rewarder {name!r}; {'; '.join(troubles)}")
        known = ", ".join(spec.name for spec in specs) or "none"
        raise ConfigError(f"there is no rewarder {name!r}", hint=f"loaded rewarders: {known}")
    return found


def _print_spec(spec: RewarderSpec) -> None:
    described = spec.describe()
    out.print(f"[bold]{spec.name}[/] {spec.version}, from {spec.distribution}\n{plain(spec.summary)}")
    bound = f"CPU budget {spec.cpu_budget_s:g} s" if spec.cpu_budget_s else "async: it is handed tools"
    out.print(f"{bound}, code {spec.code_digest}")
    for part in ("reference", "params"):
        out.print(f"[bold]{part}[/]")
        out.print_json(data=described[part])


def _print_report(report: "Report") -> None:
    out.print(f"[bold]{report.rewarder}[/] {report.version}, from {report.distribution}")
    for result in report.results:
        counts = "left out" if result.exempt else f"{result.trials - result.found} of {result.trials}"
        out.print(f"{mark(result.ok)} {result.check.name:<13} {counts:>14}  {plain(result.exempt or '')}")
        for finding in result.findings[:_SHOWN_FINDINGS]:
            out.print(f"       {plain(finding.row)}: {plain(finding.seen)}", highlight=False)
        if not result.ok:
            out.print(f"       [dim]{plain(result.check.demand)}[/]")


def _print_cards(cards: "list[ScoreCard]") -> None:
    table = Table("", box=None, header_style="bold", pad_edge=False)
    table.add_column("rewarder", no_wrap=True)
    for column in ("wrongly paid", "right ones paid", "mutants alive", "by luck", "broken checks"):
        table.add_column(column)
    for card in cards:
        table.add_row(mark(card.ok), f"{card.spec.name} {card.spec.version}", *map(plain, card.cells()))
    out.print(table)
    out.print("[dim]≤ and ≥: exact bounds at 95 % confidence. `plugins test NAME` has the rest.[/]")
