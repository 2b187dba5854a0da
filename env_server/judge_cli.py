"""`env-server judge`: calibrate, show. Exit codes as everywhere: 1 is a judge that must not be paid."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from env_server.config import load_config
from env_server.terminal import AsJson, ConfigFile, err, out, plain, print_json
from rewarders.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from env_server.judges.calibrations import Calibration, Figure

judge = typer.Typer(no_args_is_help=True, help="Language models that are asked for verdicts.")


@judge.command()
def calibrate(
    data: Annotated[Path, typer.Argument(help="JSONL: task, completion, label (and labels: one for each annotator).")],
    rubric: Annotated[str, typer.Option(help="Rubric whose judge is tried.")],
    part: Annotated[str | None, typer.Option(help="Rewarder of the part, where a rubric has several judges.")] = None,
    output: Annotated[Path | None, typer.Option("--out", "-o", help="Write the calibration here.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Try a judge on labelled data. Leaves with 1 if that is not enough for it to be paid."""
    from env_server import calibrating
    from env_server.judges.calibrations import shortcomings
    from env_server.judges.labels import read_labelled
    from env_server.progress import progress_bar

    settings = load_config(config, {})
    found, spec = calibrating.find_part(settings, rubric, part)
    labelled = read_labelled(data)
    with progress_bar("judging", len(labelled.items)) as advance:
        calibration = calibrating.calibrate(settings, found, spec, labelled, advance)
    _write(calibration, output)
    problems = shortcomings(calibration, settings.calibration)
    if as_json:
        said = {"enough": not problems, "shortcomings": problems}
        print_json({**calibration.model_dump(mode="json", by_alias=True), **said})
    else:
        _print(calibration, problems)
    raise typer.Exit(1 if problems else 0)


@judge.command()
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Ask every judge something harmless: who answers, whether it can be read, what it has used."""
    from env_server.judge_report import introduce

    found = introduce(load_config(config, {}))
    if as_json:
        print_json([one.__dict__ for one in found])
    for one in found if not as_json else []:
        state = "[green]ok[/]" if one.ok else "[red]no[/]"
        out.print(f"{state} {one.name}: {plain(one.detail)}")
    raise typer.Exit(0 if all(one.ok for one in found) else 1)


def _write(calibration: "Calibration", output: Path | None) -> None:
    if output is None:
        return
    try:
        output.write_text(calibration.model_dump_json(by_alias=True, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}") from error


def _print(calibration: "Calibration", problems: "Sequence[str]") -> None:
    table = Table("figure", "value", "95 % interval", box=None, header_style="bold")
    for name, figure in calibration.figures.items():
        table.add_row(name.replace("_", " "), *_spelled(figure))
    out.print(table)
    counts = ", ".join(f"{count} {name}" for name, count in calibration.counts.items() if count)
    verdict = "[red]only observes[/]" if problems else "[green]may be paid[/]"
    out.print(f"{calibration.rewarder} {calibration.version} {verdict}: {counts}")
    for problem in problems:
        out.print(f"[red]-[/] {problem}")
    if own := calibration.counts["own"]:
        err.print(f"[yellow]{own} completions were written by the judge's own model[/]: judges like what they write")
    if calibration.counts["items"] > calibration.items:
        err.print(f"[red]{calibration.counts['items'] - calibration.items} items were left unjudged by faults[/]")


def _spelled(figure: "Figure") -> tuple[str, str]:
    if figure.value is None or figure.low is None or figure.high is None:
        return "--", "the data cannot tell"
    return f"{figure.value:.4g}", f"{figure.low:.4g} to {figure.high:.4g}"
