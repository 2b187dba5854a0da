"""`env-server audit recompute`: recorded rewards computed again, and how many flipped."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from env_server import record_options as options
from env_server.config import load_config
from env_server.terminal import AsJson, ConfigFile, out, plain, print_json
from rewarders.errors import ConfigError

if TYPE_CHECKING:
    from env_server.replay.flips import Flip, FlipReport
    from env_server.replay.recomputing import Gate
    from env_server.replay.results import Replay

_COLOURS = {"equal": "green", "different": "red", "could_not": "yellow", "not_replayable": "yellow"}
_MOST_SHOWN = 20


def register(audit: typer.Typer) -> None:
    """Add the command to `env-server audit`."""
    audit.command("recompute")(recompute)


def recompute(
    record_ids: Annotated[list[str] | None, typer.Argument(help="Records by id; none: those that match.")] = None,
    run: options.Run = None,
    step: options.Step = None,
    group: options.Group = None,
    task: options.Task = None,
    rubric: options.Rubric = None,
    rewarder: Annotated[str | None, typer.Option(help="Run this one alone; others stay as recorded.")] = None,
    reason: options.Reason = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many drawn at random, always the same.")] = None,
    against: Annotated[
        str | None, typer.Option(help="`installed`, or a version of --rewarder [the very code on the record].")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask judges and reward models anew, and compare.")] = False,
    max_flips: Annotated[float, typer.Option(min=0, max=1, help="Share that may flip; beyond it, leave with 1.")] = 0.0,
    tolerance: Annotated[float, typer.Option(min=0, help="A change up to this is no flip.")] = 0.0,
    output: Annotated[Path | None, typer.Option("--out", "-o", help="JSONL of what did not come out the same.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Leave no record of the replays.")] = False,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Compute recorded rewards again with what is installed here, and compare.

    Leaves with 1 if more flipped than --max-flips (of the records themselves, or of the upper end of the interval where
    they are some of many; without --against and --live, if anything at all is different), and with 3 if nothing could
    be compared, or too many failed to be.
    """
    from env_server.progress import progress_bar
    from env_server.replay import recomputing
    from env_server.replay.replayer import INSTALLED, Comparison

    if against not in (None, INSTALLED) and rewarder is None:
        raise ConfigError(f"--against is {against!r:.60}, a version", hint="name whose with --rewarder, or: installed")
    settings = load_config(config, {"ledger.data_dir": data_dir, "ledger.url": url})
    wanted = options.record_filter(
        run=run, step=step, group=group, task_id=task, rubric=rubric, rewarder=rewarder, reason=reason,
        since=since, until=until,
    )  # fmt: skip
    chosen = recomputing.Slice(wanted, limit, sample, tuple(record_ids or ()))
    sampled = recomputing.is_sample(settings, chosen)
    gate = recomputing.Gate(max_flips, sampled=sampled, plain=against is None and not live)
    with _lines(output) as flips, progress_bar("recomputing", recomputing.size(settings, chosen)) as advance:
        listing = _Listing(flips, whole=bool(record_ids) and not as_json)
        how = Comparison(against, rewarder, live)
        report = recomputing.recompute(
            settings, chosen, how, tolerance=tolerance, dry_run=dry_run, on_replay=listing.add, progress=advance
        )
    code = gate.verdict(report)
    if as_json:
        print_json({**report.as_json(), "max_flips": max_flips, "exit_code": code})
    elif not (listing.whole and report.results.total() == 1):
        _print(report, listing, gate, code)
    raise typer.Exit(code)


def _lines(path: Path | None) -> Any:
    if path is None:
        return nullcontext(None)
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--out: cannot write {path}: {error.strerror}", hint="give a file in a folder that exists"
        ) from error


class _Listing:
    """What is said of single records: what did not come out the same, the first of it for people too."""

    def __init__(self, sink: TextIO | None, *, whole: bool) -> None:
        self._sink, self.whole = sink, whole
        self.first: list[dict[str, Any]] = []
        self.count = 0

    def add(self, record: Mapping[str, Any], replay: "Replay", flip: "Flip | None") -> None:
        from env_server.replay.flips import as_line

        if self.whole:
            _print_replay(replay)
        if replay.result not in ("different", "could_not"):
            return
        line = as_line(record, replay, flip)
        self.count += 1
        if len(self.first) < _MOST_SHOWN:
            self.first.append(line)
        if self._sink:
            self._sink.write(json.dumps(line, ensure_ascii=False) + "\n")


def _print_replay(replay: "Replay") -> None:
    why = f" ({replay.why})" if replay.why else ""
    colour = _COLOURS[replay.result]
    out.print(f"[{colour}]{replay.result}[/]{why} {replay.record_id}: {_change(replay.old_reward, replay.reward)}")
    for part in replay.components:
        said = " -> ".join(f"{one.score:g} {one.reason}" for one in (part.then, part.now) if one)
        promise = part.promise or "not run"
        out.print(f"  {part.result:<15} {plain(part.rewarder)} ({promise}) {said} {plain(part.detail or '')}".rstrip())
        for what, (then, now) in {**part.evidence, **part.environment}.items():
            out.print(f"    [dim]{plain(what)}:[/] {_short(then)} -> {_short(now)}", highlight=False)


def _print(report: "FlipReport", listing: _Listing, gate: "Gate", code: int) -> None:
    found = report.as_json()
    for line in listing.first if not listing.whole else ():
        said = "; ".join(f"{part['rewarder']}: {_said(part['then'])} -> {_said(part['now'])}" for part in line["parts"])
        rewards = _change(line["old_reward"], line["reward"])
        out.print(f"{line['id']} {line['result']} {rewards} {plain(said)}", highlight=False)
    if listing.count > _MOST_SHOWN:
        out.print(f"... and {listing.count - _MOST_SHOWN} more; --out FILE lists all of them")
    for one in found["transitions"]:
        if one["then"] != one["now"]:
            out.print(f"{one['count']:>8}  {one['rewarder']}: {one['then']} -> {one['now']}", highlight=False)
    counts = ", ".join(f"{count} {result}" for result, count in found["results"].items()) or "no records"
    reasons = ", ".join(f"{count} {why}" for why, count in found["why"].items())
    out.print(f"{found['records']} records: {counts}{f' ({reasons})' if reasons else ''}")
    if report.compared:
        flips, change = found["flips"], found["reward_change"]
        bounds = f"95 %: {flips['low']:.3%} to {flips['high']:.3%}"
        out.print(f"{flips['count']} flips ({flips['up']} up, {flips['down']} down), {flips['value']:.3%} ({bounds})")
        out.print(f"rewards change by {_interval(change)} on average, over {change['clusters']} groups")
    verdict = {0: "[green]keeps[/]", 1: "[red]does not keep[/]", 3: "[yellow]nobody can say whether it keeps[/]"}[code]
    out.print(f"{verdict} to at most {gate.max_flips:.3%} flips")


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "nothing that can be said"
    around = f" (95 %: {figure['low']:+.5f} to {figure['high']:+.5f})" if figure["low"] is not None else ""
    return f"{figure['value']:+.5f}{around}"


def _change(then: float | None, now: float | None) -> str:
    spelled = ["--" if one is None else f"{one:g}" for one in (then, now)]
    return " -> ".join(spelled)


def _said(opinion: Mapping[str, Any] | None) -> str:
    return f"{opinion['score']:g} {opinion['reason']}" if opinion else "--"


def _short(value: Any) -> str:
    return plain(json.dumps(value, ensure_ascii=False)[:200])
