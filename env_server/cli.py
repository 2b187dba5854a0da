"""`env-server`: serve, check, check-tasks, score; the other groups of commands are in files of their own.

Exit codes: 0 yes; 1 the thing asked about is bad; 2 asked wrongly; 3 could not find out.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from env_server.audit_cli import audit
from env_server.config import load_config
from env_server.judge_cli import judge
from env_server.keys_cli import keys
from env_server.plugins_cli import plugins
from env_server.rubric_cli import rubric
from env_server.sandbox_cli import sandbox
from env_server.terminal import AsJson, ConfigFile, err, mark, out, plain, print_json
from rewarders.errors import AssayError, ConfigError, NotFound, PluginError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="The Assay reward service.")
app.add_typer(plugins, name="plugins")
app.add_typer(audit, name="audit")
app.add_typer(sandbox, name="sandbox")
app.add_typer(judge, name="judge")
app.add_typer(rubric, name="rubric")
app.add_typer(keys, name="keys")

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where the ledger lives [./assay-data].")]


def main() -> None:
    """Entry point of the console script."""
    with exit_codes():
        app()


@contextmanager
def exit_codes() -> Iterator[None]:
    """Say what went wrong in a sentence, what to do next, and leave with the right code."""
    try:
        yield
    except AssayError as error:
        err.print(f"[red]error:[/] {plain(str(error))}")
        if error.hint:
            err.print(f"[dim]hint:[/]  {plain(error.hint)}")
        sys.exit(_exit_code(error))


def _exit_code(error: AssayError) -> int:
    if isinstance(error, NotFound):
        return 1
    return 2 if isinstance(error, ConfigError | PluginError) else 3


@app.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one [8080].")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes that share the address [1].")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Serve rewards over HTTP. Works with no configuration file."""
    from env_server.serving import serve_forever

    overrides = {
        "server.host": host,
        "server.port": port,
        "server.workers": workers,
        "ledger.data_dir": data_dir,
    }
    raise typer.Exit(serve_forever(load_config(config, overrides), _say_ready_json if as_json else _say_ready))


@app.command()
def check(config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check configuration, plug-ins, rubrics, workers and ledger: one line each. `serve` starts if this passes."""
    from env_server.checking import checks

    lines = checks(load_config(config, {"ledger.data_dir": data_dir}))
    if as_json:
        print_json([line.__dict__ for line in lines])
    for line in lines if not as_json else []:
        out.print(f"{mark(line.ok)} {line.name:<10} {plain(line.detail)}")
    raise typer.Exit(0 if all(line.ok for line in lines) else 1)


@app.command()
def score(
    items: Annotated[Path, typer.Argument(help="JSONL: one item a line, as in the body of POST /v1/score.")],
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="JSONL of results; standard output if absent.")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    ledger: Annotated[bool, typer.Option(help="Record the rewards, as the service does.")] = True,
    run: Annotated[str | None, typer.Option(help="Name of the run the records belong to.")] = None,
    step: Annotated[int | None, typer.Option(help="Step of that run, for weights with a schedule.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say in each result where its reward came from.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score a file with the service's own engine, without a server. Leaves with 1 if an item was not scored."""
    from env_server.offline import named_run, score_file

    overrides = {"ledger.data_dir": data_dir, "ledger.enabled": None if ledger else False}
    summary = score_file(load_config(config, overrides), items, output, named_run(run, step), explain=explain)
    if as_json:
        print(json.dumps(summary.as_json()), file=sys.stderr if output is None else sys.stdout)
    else:
        err.print(summary.sentence())
    raise typer.Exit(0 if summary.scored == summary.total else 1)


@app.command("check-tasks")
def check_tasks(
    tasks: Annotated[Path, typer.Argument(help="JSONL: one task a line, as `task` in an item of POST /v1/score.")],
    rubric: Annotated[str | None, typer.Option(help="Rubric of the tasks that name none.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Leave with 1 for warnings too.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check the tasks of a file, their references above all. Leaves with 1 if one of them cannot be scored."""
    from env_server import task_checking, task_report

    report = task_report.Document() if as_json else task_report.Table()
    settings = load_config(config, {"ledger.enabled": False, "sandbox.backend": "off"})
    tally = task_checking.check_tasks(settings, tasks, rubric, report.add)
    report.close(tally)
    raise typer.Exit(0 if tally.is_sound(strict=strict) else 1)


def _say_ready(url: str) -> None:
    err.print(f"[green]ready[/] at {url}  (POST {url}/v1/score; Ctrl-C ends it)")


def _say_ready_json(url: str) -> None:
    import os

    print(json.dumps({"url": url, "pid": os.getpid()}), flush=True)  # noqa: T201
