"""The `trainer` program. torch is imported only after the arguments are parsed, so that `--help` is quick."""

import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console

from rewarders.errors import AssayError, ConfigError, PluginError, RequestError, TrainingError
from trainer.config import SftConfig, TrainConfig
from trainer.config_file import load_config

BAD: Final = 1
ASKED_WRONGLY: Final = 2
COULD_NOT_FIND_OUT: Final = 3

app = typer.Typer(
    name="trainer",
    no_args_is_help=True,
    add_completion=False,
    help="Train a language model on verifiable rewards. "
    "Exit status: 0 done, 1 the run is bad, 2 asked wrongly, 3 could not find out.",
)
ConfigOption = Annotated[Path, typer.Option("--config", help="TOML file; its options are explained in the docs.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over the file. Repeatable.")]
SpawnOption = Annotated[bool, typer.Option("--spawn-server", help="Start a reward service for this run alone.")]
Order = Literal["logged", "worst", "best", "diverging"]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def main() -> None:
    """Run the program."""
    # GNU OpenMP's threads spin while they wait for one another. On an idle machine that gains nothing; beside another
    # busy process it makes a step several times slower. Read once, when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    app()


@app.command()
def sft(config: ConfigOption, overrides: SetOption = None, as_json: JsonOption = False) -> None:
    """Fine-tune on conversations: only the assistant's tokens are learnt."""
    with _exit_codes():
        resolved = load_config(SftConfig, config, overrides or ())
        from trainer.sft import fine_tune

        losses = fine_tune(resolved, _progress_console())
    text = f"loss {losses['first_loss']:.4f} -> {losses['last_loss']:.4f}; the model is in {resolved.sft.out}"
    _print({**losses, "out": str(resolved.sft.out)}, text, as_json)


@app.command()
def run(
    config: ConfigOption,
    spawn_server: SpawnOption = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train with rewards. Goes on by itself from the newest checkpoint in the run directory."""
    with _exit_codes():
        resolved = load_config(TrainConfig, config, overrides or ())
        from trainer.loop import train
        from trainer.record import locked, run_nonce

        with (
            locked(resolved.run.dir),
            run_nonce(resolved.run.dir) as nonce,
            _grader(resolved, spawn_server, nonce) as grader,
        ):
            finished = train(resolved, grader, _progress_console())
    answer = {
        "step": finished.step,
        "complete": finished.complete,
        "checkpoint": str(finished.checkpoint),
        "metrics": finished.metrics,
    }
    ending = "done" if finished.complete else "stopped as asked; run again to go on"
    _print(answer, f"step {finished.step}/{resolved.run.steps}: {ending}; {finished.checkpoint}", as_json)
    if not finished.complete:
        raise typer.Exit(COULD_NOT_FIND_OUT)


@app.command()
def plan(
    config: ConfigOption,
    like: Annotated[Path | None, typer.Option(help="Run directory whose speed this run would have.")] = None,
    tokens_per_second: Annotated[float | None, typer.Option(help="Speed of whole steps, in new tokens.")] = None,
    price_per_hour: Annotated[float | None, typer.Option(min=0, help="Of all devices together.")] = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a run would cost. Loads no weights and asks no server."""
    with _exit_codes():
        resolved = load_config(TrainConfig, config, overrides or ())
        from trainer.plan import describe, plan_with_cost

        found = plan_with_cost(resolved, like=like, tokens_per_second=tokens_per_second, price_per_hour=price_per_hour)
    _print(found, describe(found), as_json)


@app.command()
def samples(
    run_dir: Annotated[Path, typer.Option("--run", help="Run directory.")],
    step: Annotated[int | None, typer.Option(help="Only of this step.")] = None,
    component: Annotated[str, typer.Option(help="Rewarder to rank by, in place of the reward.")] = "",
    order: Annotated[Order, typer.Option(help="How to rank: diverging is by components that disagree.")] = "logged",
    count: Annotated[int, typer.Option(min=1, help="How many at most.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show rollouts of a run with their reward breakdowns."""
    with _exit_codes():
        from trainer.samples import choose_samples, show_samples

        chosen = choose_samples(run_dir, step=step, component=component, order=order, count=count)
    if as_json:
        _print(chosen, "", as_json)
    else:
        show_samples(chosen, Console())


@app.command()
def tasks(
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the tasks of a run as JSONL, to look at and for `env-server check-tasks`. Loads no model."""
    with _exit_codes():
        resolved = load_config(TrainConfig, config, overrides or ())
        from trainer.data import load_task_set, write_tasks

        counts = write_tasks(load_task_set(resolved.data), out, resolved.data.held_out_split)
    text = "\n".join(f"{name:20} {count:,}" for name, count in counts.items())
    _print({**counts, "out": str(out)}, f"{text}\nwrote {out}", as_json)


@app.command(name="eval")
def evaluate(
    config: ConfigOption,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint, or run directory; the configured model if not given.")
    ] = None,
    spawn_server: SpawnOption = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a model on the held-out tasks: accuracy with a 95 % interval, and each component."""
    with _exit_codes():
        resolved = load_config(TrainConfig, config, overrides or ())
        from trainer.evaluate import evaluate_model

        with _grader(resolved, spawn_server, uuid.uuid4().hex) as grader:
            found = evaluate_model(resolved, grader, checkpoint)
    text = (
        f"accuracy {found['accuracy']:.1%} [{found['low']:.1%}, {found['high']:.1%}] "
        f"on {found['tasks']} tasks, reward {found['reward']:.3f}, {found['unscored']} unscored\n"
        + "\n".join(f"  {name} {mean:.3f}" for name, mean in found["components"].items())
    )
    _print(found, text, as_json)


@app.command("serve-model")
def serve_model(
    path: Annotated[Path, typer.Argument(help="Directory of a scalar reward model (sequence classification).")],
    host: Annotated[str, typer.Option(help="Address to listen on; there is no authentication.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 8001,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    dtype: Annotated[Literal["float32", "bfloat16"], typer.Option(help="Of the weights.")] = "float32",
) -> None:
    """Serve a reward model on vLLM's /score and /classify, for `model.scalar` of the reward service."""
    with _exit_codes():
        try:
            from trainer.serving_model import serve
        except ImportError as error:
            raise ConfigError(f"serving a model needs {error.name}", hint="install the extra: .[server]") from error

        serve(path, host, port, device, dtype)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint, or run directory for its newest one.")],
    to: Annotated[Path, typer.Option(help="Directory for the model.")],
    as_json: JsonOption = False,
) -> None:
    """Write a checkpoint as a Hugging Face model directory."""
    with _exit_codes():
        from trainer.export import export as copy
        from trainer.export import resolve_checkpoint

        found = resolve_checkpoint(checkpoint)
        copy(found, to)
    _print({"checkpoint": str(found.path), "step": found.step, "to": str(to)}, f"{found.path} -> {to}", as_json)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Option("--run", help="Run directory.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    before: Annotated[Path | None, typer.Option(help="`eval --json` of the model the run began with.")] = None,
    after: Annotated[Path | None, typer.Option(help="`eval --json` of the trained model.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained page about a run: curves, rollouts and what was paid for them."""
    with _exit_codes():
        from trainer.report import write_report

        write_report(run_dir, out, before, after)
    _print({"report": str(out)}, f"wrote {out}", as_json)


@contextmanager
def _grader(config: TrainConfig, spawn_server: bool, nonce: str) -> Iterator[Any]:
    from env_server.client import RewardClient
    from trainer.grading import ServiceGrader
    from trainer.server import spawned_server

    grading = config.grading
    server = spawned_server(config.run.dir / "server", grading.server_config) if spawn_server else None
    with server or nullcontext(grading.url) as url, RewardClient(url, timeout_s=grading.timeout_s) as client:
        yield ServiceGrader(client, items_per_request=grading.items_per_request, nonce=nonce)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except AssayError as error:
        from trainer.samples import printable  # an error may quote what a model or a server wrote

        said, hint = printable(f"error: {error}"), printable(f"hint: {error.hint}")
        Console(stderr=True).print(said, style="red", markup=False, highlight=False, soft_wrap=True)
        if error.hint:
            Console(stderr=True).print(hint, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(_status(error)) from error


def _status(error: AssayError) -> int:
    match error:
        case TrainingError():
            return BAD
        case ConfigError() | PluginError() | RequestError():
            return ASKED_WRONGLY
        case _:
            return COULD_NOT_FIND_OUT


def _progress_console() -> Console:
    return Console(stderr=True)  # stdout is for the answer


def _print(answer: Any, text: str, as_json: bool) -> None:
    sys.stdout.write((json.dumps(answer, indent=1) if as_json else text) + "\n")
