"""The `trainer` program. torch is imported only after the arguments are parsed, so that `--help` is quick."""

import faulthandler
import json
import os
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console

from rewarders.errors import AssayError, ConfigError, PluginError, RequestError, TrainingError
from trainer.config import SftConfig, TrainConfig
from trainer.config_file import load_config
from trainer.distributed.launching import become_torchrun, refuse_several, under_torchrun
from trainer.distributed.leaving import leaving
from trainer.distributed.telling import told_elsewhere

BAD: Final = 1
ASKED_WRONGLY: Final = 2
COULD_NOT_FIND_OUT: Final = 3
_FIRST_RETRIES: Final = 6
"""Of a service that has not answered yet: some five seconds. A wrong address has no use for more."""

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
    if sys.stderr is not None:
        faulthandler.enable()  # a crash below Python says where Python was
    with leaving():
        app()


@app.command()
def sft(config: ConfigOption, overrides: SetOption = None, as_json: JsonOption = False) -> None:
    """Fine-tune on conversations: only the assistant's tokens are learnt."""
    with _exit_codes():
        refuse_several("trainer sft")
        resolved = load_config(SftConfig, config, overrides or ())
        from trainer.sft import fine_tune

        losses = fine_tune(resolved, _progress_console())
    text = f"loss {losses['first_loss']:.4f} -> {losses['last_loss']:.4f}; the model is in {resolved.sft.out}"
    _print({**losses, "out": str(resolved.sft.out)}, text, as_json)


@app.command()
def run(
    config: ConfigOption,
    spawn_server: SpawnOption = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Ranks on this machine: short for torchrun --nproc-per-node.")
    ] = 1,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train with rewards. Goes on by itself from the newest checkpoint in the run directory."""
    with _exit_codes():
        resolved = load_config(TrainConfig, config, overrides or ())
        if processes > 1:
            become_torchrun(processes, _again(config, spawn_server, overrides or (), as_json))
        from trainer.distributed.joining import Joined
        from trainer.distributed.ranks import leads
        from trainer.loop import train

        with Joined(resolved.distributed):
            desk: AbstractContextManager[Any] = _desk(resolved, spawn_server) if leads() else nullcontext()
            with desk as grader:
                finished = train(resolved, grader, _progress_console() if leads() else Console(quiet=True))
            answers = leads()  # afterwards each rank is alone
    answer = {
        "step": finished.step,
        "complete": finished.complete,
        "checkpoint": str(finished.checkpoint),
        "metrics": finished.metrics,
    }
    ending = "done" if finished.complete else "stopped as asked; run again to go on"
    if answers:
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
def profile(
    path: Annotated[Path, typer.Argument(help="TOML file to run some steps of, or a run directory to read.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps to run, after one to warm up.")] = 5,
    picture: Annotated[Path | None, typer.Option(help="PNG or SVG to draw: a stacked bar a step.")] = None,
    peak_tflops: Annotated[
        float | None, typer.Option(min=0.001, help="10^12 operations a second that all devices could do together.")
    ] = None,
    spawn_server: SpawnOption = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a step's time goes: phases, tokens a second, utilisation, memory."""
    with _exit_codes():
        refuse_several("trainer profile")
        peak = None if peak_tflops is None else peak_tflops * 1e12
        from trainer.profile import measuring, showing

        if path.is_dir():
            found = measuring.profile_run(path, peak)
        else:
            resolved = load_config(TrainConfig, path, overrides or ())
            graders = partial(_grader, spawn_server=spawn_server, nonce=uuid.uuid4().hex)
            found = measuring.profile_steps(resolved, steps, graders, _progress_console(), peak)
        if picture is not None:
            showing.draw(found, picture)
    if as_json:
        _print(found, "", as_json)
    else:
        showing.show(found, Console())


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
        refuse_several("trainer eval")
        resolved = load_config(TrainConfig, config, overrides or ())
        from trainer.evaluate import evaluate_model

        with _grader(resolved, spawn_server, uuid.uuid4().hex, outlasts_restarts=False) as grader:
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


def _again(config: Path, spawn_server: bool, overrides: Iterable[str], as_json: bool) -> list[str]:
    """The arguments of `trainer run` for each of several processes."""
    switches = [*(["--spawn-server"] if spawn_server else []), *(["--json"] if as_json else [])]
    return ["run", "--config", str(config), *switches, *(f"--set={override}" for override in overrides)]


@contextmanager
def _desk(config: TrainConfig, spawn_server: bool) -> Iterator[Any]:
    """The run directory, held for this run, and what grades for it."""
    from trainer.record import locked, run_nonce

    with (
        locked(config.run.dir),
        run_nonce(config.run.dir) as nonce,
        _grader(config, spawn_server, nonce, outlasts_restarts=True) as grader,
    ):
        yield grader


@contextmanager
def _grader(config: TrainConfig, spawn_server: bool, nonce: str, *, outlasts_restarts: bool) -> Iterator[Any]:
    from env_server.client import RewardClient
    from env_server.client_key import key_in
    from trainer.grading import ClientPerThread, ServiceGrader
    from trainer.server import spawned_server

    grading = config.grading
    server = spawned_server(config.run.dir / "server", grading.server_config) if spawn_server else None
    key = key_in(grading.key_file, "grading.key_file") if grading.key_file else None
    with server or nullcontext(grading.url) as url:
        connect = partial(RewardClient, url, key=key, timeout_s=grading.timeout_s)
        if outlasts_restarts:
            with RewardClient(url, key=key, retries=_FIRST_RETRIES) as asking:
                asking.rubrics()  # where nobody is, or none of ours, that is said before a model is loaded
            connect = partial(connect, retries=grading.retries)
        with ClientPerThread(connect) as client:
            yield ServiceGrader(client, items_per_request=grading.items_per_request, nonce=nonce)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except AssayError as error:
        if not told_elsewhere(error):
            _print_error(error)
        raise typer.Exit(_status(error)) from error


def _print_error(error: AssayError) -> None:
    from trainer.samples import printable  # an error may quote what a model or a server wrote

    whose = f" on rank {os.environ['RANK']}" if under_torchrun() else ""
    said, hint = printable(f"error{whose}: {error}"), printable(f"hint: {error.hint}")
    Console(stderr=True).print(said, style="red", markup=False, highlight=False, soft_wrap=True)
    if error.hint:
        Console(stderr=True).print(hint, markup=False, highlight=False, soft_wrap=True)


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
