"""`env-server audit list`, and what people say of records: `correct`, `invalidate`, `label`, `labels`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from env_server import record_options as options
from env_server.config import ServiceConfig, load_config
from env_server.ledger.entry import Kind
from env_server.record_filter import RecordFilter
from env_server.terminal import AsJson, ConfigFile, err, out, print_json, printable
from rewarders.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from env_server.annotating import Annotation
    from env_server.ledger.reader import LedgerReader

By = Annotated[str, typer.Option(help="Who says so.")]
Why = Annotated[str, typer.Option(help="Why.")]
RecordId = Annotated[str, typer.Argument(help="Id of the record.")]
_TRUE_FALSE = {"good": True, "true": True, "yes": True, "bad": False, "false": False, "no": False}


def register(audit: typer.Typer) -> None:
    """Add the commands to `env-server audit`."""
    audit.command("list")(list_records)
    audit.command("correct")(correct)
    audit.command("invalidate")(invalidate)
    audit.command("label")(label)
    audit.command("labels")(labels)


def list_records(
    run: options.Run = None,
    step: options.Step = None,
    group: options.Group = None,
    task: options.Task = None,
    rubric: options.Rubric = None,
    rewarder: options.Rewarder = None,
    reason: options.Reason = None,
    status: options.Status = None,
    reward: options.Reward = None,
    tenant: options.Tenant = None,
    kind: Annotated[str | None, typer.Option(help="reward, correction, invalidation, label, replay, all.")] = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most records.")] = 50,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first.")] = False,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """List records that match, the newest first. Leaves with 1 if there are none."""
    wanted = options.record_filter(
        run=run, step=step, group=group, task_id=task, rubric=rubric, rewarder=rewarder, reason=reason, status=status,
        reward=reward, tenant=tenant, kind=kind, since=since, until=until,
    )  # fmt: skip
    with closing(_reader(_settings(config, data_dir, url))) as reader:
        rows = list(_rows(reader, wanted, limit, newest_first=not oldest))
    if as_json:
        print_json(rows)
    elif rows:
        for line in _lines(rows):
            out.print(line, markup=False, highlight=False)
    else:
        err.print("no record matches")
    raise typer.Exit(0 if rows else 1)


def correct(
    record_id: RecordId,
    reward: Annotated[float, typer.Option(help="What the reward ought to have been.")],
    by: By,
    reason: Why,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Say that a reward ought to have been another. The record stays; a new one points at it."""
    said = {"kind": "correction", "reward": reward, "by": by, "reason": reason}
    _say(record_id, said, _settings(config, data_dir, url), as_json)


def invalidate(
    record_id: RecordId,
    by: By,
    reason: Why,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Say that a record must not be used any more: a reward, or a correction, label or replay that was wrong."""
    said = {"kind": "invalidation", "by": by, "reason": reason}
    _say(record_id, said, _settings(config, data_dir, url), as_json)


def label(
    record_id: RecordId,
    label: Annotated[str, typer.Argument(help="good or bad, a number, or a name such as reward_hack.")],
    by: By,
    reason: Why,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Say what a person thinks of a completion."""
    said = {"kind": "label", "label": _label(label), "by": by, "reason": reason}
    _say(record_id, said, _settings(config, data_dir, url), as_json)


def labels(
    run: options.Run = None,
    step: options.Step = None,
    task: options.Task = None,
    rubric: options.Rubric = None,
    since: options.Since = None,
    until: options.Until = None,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """How far the people agree who labelled the same completions (Krippendorff's alpha). Invalid labels are left out.

    Leaves with 1 if no completion was labelled by two people.
    """
    from env_server.agreement import agreement
    from env_server.ledger.reader import ALL_NOTES

    wanted = options.record_filter(
        kind="label", run=run, step=step, task_id=task, rubric=rubric, since=since, until=until
    )
    with closing(_reader(_settings(config, data_dir, url))) as reader:
        found = agreement(record for row in _rows(reader, wanted) if (record := reader.record(row["id"], ALL_NOTES)))
    if as_json:
        print_json(found.as_json())
    else:
        out.print(found.sentence())
    raise typer.Exit(0 if found.shared else 1)


def _settings(config: Any, data_dir: Any, url: str | None) -> ServiceConfig:
    return load_config(config, {"ledger.data_dir": data_dir, "ledger.url": url})


def _reader(settings: ServiceConfig) -> "LedgerReader":
    from env_server.ledger.reader import LedgerReader

    return LedgerReader(settings.ledger.place)


def _rows(
    reader: "LedgerReader", wanted: RecordFilter, limit: int | None = None, *, newest_first: bool = True
) -> Iterator[dict[str, Any]]:
    from itertools import islice

    from env_server.ledger.searching import all_pages

    rows = (row for page in all_pages(reader.search, wanted, newest_first=newest_first) for row in page)
    return islice(rows, limit)


def _say(record_id: str, said: dict[str, Any], settings: ServiceConfig, as_json: bool) -> None:
    from pydantic import ValidationError

    from env_server.annotating import Annotation
    from rewarders.registry import first_problem

    try:
        made = _write(record_id, Annotation.model_validate(said), settings)
    except ValidationError as error:
        raise ConfigError(f"--{first_problem(error)}") from error
    if as_json:
        print_json(made)
    else:
        out.print(f"[green]ok[/] {made['kind']} {made['id']} is about {made['about']}")


def _write(record_id: str, said: "Annotation", settings: ServiceConfig) -> dict[str, Any]:
    from uuid import UUID

    from env_server.annotating import annotation
    from env_server.app import build_redactor, build_writer

    with closing(_reader(settings)) as reader:
        record = reader.record(record_id)
    if record is None:
        raise NotFound(f"there is no record {record_id!r:.60}", hint="`env-server audit list` lists records")
    entry = annotation(record, said, build_redactor(settings))
    with closing(build_writer(settings.ledger)) as writer:
        writer.append_now([entry])
    return {"id": str(UUID(bytes=entry.id)), "about": record["id"], "kind": said.kind}


def _label(text: str) -> bool | float | str:
    if text.lower() in _TRUE_FALSE:
        return _TRUE_FALSE[text.lower()]
    try:
        return float(text)
    except ValueError:
        return text


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table as wide as it has to be: an id that is cut short is none."""
    cells = [("id", "time (UTC)", "run", "step", "task", "rubric", "reward", "said"), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    at = row["at"][:19].replace("T", " ")
    reward = "--" if row["reward"] is None else f"{row['reward']:.4g}"
    cells = (row["id"], at, row["run"], row["step"], row["task_id"], row["rubric"], reward, _said(row))
    return tuple("" if cell is None else printable(str(cell)) for cell in cells)


def _said(row: Mapping[str, Any]) -> str:
    if row["kind"] != Kind.REWARD:
        return f"{row['kind']} about {row['about']}"
    return ", ".join(f"{one['rewarder']}:{'!' if one['fault'] else ''}{one['reason']}" for one in row["said"])
