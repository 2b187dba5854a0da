"""`env-server audit`: verify, prove, check-proof, show, export, seal, erase, retain. None of them needs a server."""

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from env_server import annotate_cli, recompute_cli
from env_server import record_options as options
from env_server.config import LedgerConfig, load_config
from env_server.ledger.place import Place
from env_server.terminal import AsJson, ConfigFile, err, out, plain, print_json
from rewarders.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from env_server.audit.erasing import Erased
    from env_server.audit.selecting import Chosen
    from env_server.audit.sources import Signed, Source
    from env_server.audit.verifying import Verification

audit = typer.Typer(no_args_is_help=True, help="The ledger: verify, prove, look, export, erase. Needs no server.")
annotate_cli.register(audit)
recompute_cli.register(audit)

_MOST_SHOWN = 100
_A_PART = (
    "complete: not proved. What a part leaves out is the word of whoever exported it; hold it against a whole export"
)
Key = Annotated[list[str] | None, typer.Option("--key", help="Public key of a writer, or a file that holds it.")]
Why = Annotated[str, typer.Option(help="Goes on the record for good: name no person.")]
By = Annotated[str, typer.Option(help="Who wants it so; goes on the record too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@audit.command("verify")
def verify(
    exported: Annotated[Path | None, typer.Argument(help="An export or a sealed one; the ledger if not given.")] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that was kept elsewhere: the ledger has to go on from it.")
    ] = None,
    key: Key = None,
    processes: Annotated[int, typer.Option(min=0, help="Share the work among so many [one for each core].")] = 0,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Check every record, body, tree, signature and erasure. Leaves with 1 if something is not as it was written."""
    from env_server.audit.kept import kept_beside, kept_in
    from env_server.audit.sealing import is_sealed, wrong_with_seal
    from env_server.audit.verifying import verify as verify_source

    kept, source, found = kept_in(checkpoint or []), _exported(exported), []
    if exported and is_sealed(exported):
        found = list(wrong_with_seal(exported))
    if source is None:
        place = _place(config, data_dir, url)
        kept, source = [*kept, *(kept_beside(place.data_dir) if place.data_dir else [])], _database(place)
    verification = _with_progress(source, kept, _keys(key or []), processes, verify_source).plus(found)
    if as_json:
        print_json(verification.as_json())
    else:
        _say_verification(verification)
    raise typer.Exit(1 if verification.findings else 0)


@audit.command("writers")
def writers(
    config: ConfigFile = None, data_dir: options.DataDir = None, url: options.Url = None, as_json: AsJson = False
) -> None:
    """List who wrote to the ledger: public key, records, newest checkpoint. Keep the keys where others have them."""
    from env_server.ledger.notes import verifier_key

    known = [one for one in _database(_place(config, data_dir, url)).writers() if one.public_key]
    rows = [
        {"name": one.name, "key": verifier_key(one.public_key), "records": one.size,
         "checkpoint": one.checkpoints[-1].note if one.checkpoints else None}
        for one in known
    ]  # fmt: skip
    if as_json:
        print_json(rows)
    for row in rows if not as_json else []:
        out.print(f"{row['key']}  {row['records']} records", markup=False, highlight=False)


@audit.command("prove")
def prove(
    record_id: Annotated[str | None, typer.Argument(help="Prove that this record is in the signed tree.")] = None,
    since: Annotated[
        Path | None, typer.Option(help="A checkpoint that was kept: prove that the tree goes on from it.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--out", "-o", help="Write the proof there.")] = None,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Write a proof that can be checked without the ledger. It shows a record's columns, and no text of its bodies."""
    from env_server.audit.kept import kept_in
    from env_server.audit.proving import prove as make_proof

    if record_id is None and since is None:
        raise ConfigError("there is nothing to prove", hint="name a record, a checkpoint with --since, or both")
    older = kept_in([since])[0].note if since else None
    proof = make_proof(_place(config, data_dir, url), record_id, older)
    if output:
        _write(output, proof.model_dump_json(indent=2, exclude_none=True) + "\n")
    if as_json or not output:
        print_json(proof.model_dump(exclude_none=True))


@audit.command("check-proof")
def check_proof(
    proof: Annotated[Path, typer.Argument(help="What `audit prove` wrote.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="One that was kept elsewhere: its tree has to be the proof's, or its beginning.")
    ] = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof: no ledger is needed. Leaves with 1 if it proves nothing."""
    from env_server.audit.kept import checkpoint_in
    from env_server.audit.proofs import checked

    report = checked(proof, next(iter(_keys(key or [])), None), checkpoint_in(checkpoint) if checkpoint else None)
    if as_json:
        print_json(report)
    elif report["valid"]:
        out.print(f"[green]ok[/]: {plain(report['says'])}")
        if not report["key_was_given"]:
            err.print(f"[yellow]signed by {plain(report['key'])}[/]: hold that against a key you trust, or give --key")
        if not report["checkpoint_was_given"]:
            err.print("[yellow]whoever has the key can sign any tree[/]: give --checkpoint, kept elsewhere")
    else:
        out.print(f"[red]proves nothing[/]: {plain(report['says'])}")
    raise typer.Exit(0 if report["valid"] else 1)


@audit.command("show")
def show(
    record_id: Annotated[str, typer.Argument(help="Id of the record.")],
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Show one record: request, context, tool calls, output, where the reward came from, and what was said of it."""
    from env_server.audit.erasure_checks import told_of
    from env_server.audit.record_page import lines
    from env_server.explaining import explained_record
    from env_server.ledger.reader import LedgerReader

    place = _place(config, data_dir, url)
    with closing(LedgerReader(place)) as reader:
        record = explained_record(reader, record_id)
    if record is None:
        raise NotFound(f"there is no record {record_id!r:.60}", hint="`env-server audit list` lists records")
    if record["erased"]:
        record["erased_by"] = told_of(place, record)
    if as_json:
        print_json(record)
    for line in lines(record) if not as_json else []:
        out.print(line)


@audit.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="Made; must not be there yet.")],
    run: options.Run = None,
    since: options.Since = None,
    until: options.Until = None,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Export records to Parquet, for DuckDB, pandas and the like. `audit verify DIRECTORY` checks the export."""
    from env_server.audit.exporting import Wanted
    from env_server.audit.exporting import export as write_export
    from env_server.progress import progress_bar

    wanted = Wanted(run, _milliseconds(since, "--since"), _milliseconds(until, "--until"))
    with progress_bar("exporting", None) as advance:
        done = write_export(_place(config, data_dir, url), directory, wanted, progress=advance)
    if as_json:
        print_json(done.as_json())
    else:
        out.print(f"{done.records} records in {plain(str(done.directory))}, {done.size_bytes} bytes")
        if not done.whole:
            err.print(f"[yellow]{_A_PART}[/]")


@audit.command("seal")
def seal(
    directory: Annotated[Path, typer.Argument(help="Made; must not be there yet. Put it where it lasts.")],
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Export everything, with a signed manifest; then verify it."""
    from env_server.audit.export_source import ExportSource
    from env_server.audit.sealing import seal as seal_ledger
    from env_server.audit.verifying import verify as verify_source
    from env_server.progress import progress_bar

    with progress_bar("sealing", None) as advance:
        sealed = seal_ledger(_place(config, data_dir, url), directory, progress=advance)
    verification = _with_progress(ExportSource(directory), [], [], 0, verify_source)
    if as_json:
        print_json({**sealed.as_json(), "findings": [finding.as_json() for finding in verification.findings]})
    else:
        _say_verification(verification)
        out.print(f"sealed in {plain(str(directory))}, signed by {sealed.signed_by}")
    raise typer.Exit(1 if verification.findings else 0)


@audit.command("erase")
def erase(
    why: Why,
    record_ids: Annotated[list[str] | None, typer.Argument(help="Records by id.")] = None,
    run: Annotated[str | None, typer.Option(help="All records of this training run.")] = None,
    task: Annotated[str | None, typer.Option(help="All records of the task with this id.")] = None,
    tenant: Annotated[str | None, typer.Option(help="All records of this tenant, or those of its run or task.")] = None,
    by: By = "",
    yes: Yes = False,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Erase what records hold: task, completion, evidence, what was said of them. Row, reward and proof stay."""
    from env_server.audit.selecting import Chosen, as_ids

    if sum(map(bool, (record_ids, run, task))) != 1 and not (tenant and not record_ids and not (run and task)):
        raise ConfigError("say what is to be erased: records by id, --run, or --task, one of them, or --tenant")
    if tenant and record_ids:
        raise ConfigError("an id names a record, whose ever it is", hint="leave out --tenant")
    chosen = Chosen(ids=as_ids(record_ids or []), run=run, task_id=task, tenant=tenant)
    _erase(_ledger(config, data_dir, url), [chosen], why, by, yes=yes, as_json=as_json)


@audit.command("retain")
def retain(
    bodies_older_than: Annotated[str, typer.Option(help="Rewards' bodies go after so long: 90d.")],
    flagged_older_than: Annotated[
        str | None, typer.Option(help="Those that were corrected, invalidated or labelled go after so long [never].")
    ] = None,
    why: Why = "retention",
    by: By = "",
    yes: Yes = False,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Erase what old rewards hold. Rows, rewards and proofs stay, and so do flagged records unless said otherwise."""
    from env_server.audit.selecting import Chosen
    from env_server.ledger.entry import Kind

    chosen = [
        Chosen(kind=Kind.REWARD, flagged=flagged, before_ms=_milliseconds(age, option))
        for age, option, flagged in (
            (bodies_older_than, "--bodies-older-than", False),
            (flagged_older_than, "--flagged-older-than", True),
        )
        if age is not None
    ]
    _erase(_ledger(config, data_dir, url), chosen, why, by, yes=yes, as_json=as_json)


def _erase(ledger: LedgerConfig, chosen: "Sequence[Chosen]", why: str, by: str, *, yes: bool, as_json: bool) -> None:
    from env_server.app import build_writer
    from env_server.audit.database_source import reading
    from env_server.audit.erasing import erase as erase_chosen
    from env_server.audit.selecting import require_known, require_some
    from env_server.progress import progress_bar

    place = ledger.place
    with reading(place) as connection:
        for part in chosen:
            require_known(connection, part.ids)
            require_some(connection, part)
        count = sum(part.count(connection) for part in chosen)
    if count and not yes:
        _confirm(count, place)
    with progress_bar("erasing", count) as advance, closing(build_writer(ledger)) as writer:
        erased = erase_chosen(place, writer, chosen, why, by=by, progress=advance)
    if as_json:
        print_json(erased.as_json())
    else:
        _say_erased(erased, place)


def _confirm(count: int, place: Place) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(f"{count} records of {place} would be erased for good", hint="say --yes")
    if not typer.confirm(f"Erase what {count} records of {place} hold? It cannot be brought back", err=True):
        raise typer.Exit(2)


def _say_erased(erased: "Erased", place: Place) -> None:
    out.print(
        f"erased what {erased.records} records held: {erased.bodies} bodies, {erased.replies} kept answers, "
        f"{erased.judge_replies} remembered answers of judges"
    )
    if erased.not_wiped:
        err.print(f"[yellow]{plain(erased.not_wiped)}[/]")
    others = "" if place.url is None else ", what judges of services with other data directories remember"
    err.print(f"[dim]out of reach: backups, exports, write-ahead log archives, models' own logs{others}[/]")


def _say_verification(verification: "Verification") -> None:
    for finding in verification.findings[:_MOST_SHOWN]:
        where = " ".join(str(part) for part in (finding.writer, finding.seq, finding.record) if part not in ("", None))
        out.print(f"[red]{finding.damage}[/] {plain(where)}: {plain(finding.message)}")
    if len(verification.findings) > _MOST_SHOWN:
        out.print(f"and {len(verification.findings) - _MOST_SHOWN} more: --json lists them")
    for tree in verification.trees:
        erased = f", {tree.erased} erased" if tree.erased else ""
        signed = f"signed until {tree.newest}" if tree.newest else "not signed"
        out.print(f"{plain(tree.name)}: {tree.records} records{erased}; {signed}; root {tree.root}")
    verdict = "[red]does not verify[/]" if verification.findings else "[green]ok[/]"
    out.print(f"{verdict}: {verification.records} records")
    if not verification.whole:
        err.print(f"[yellow]{_A_PART}[/]")


def _with_progress(
    source: "Source", kept: "Sequence[Signed]", keys: Sequence[bytes], processes: int, verify_source: Any
) -> "Verification":
    from env_server.progress import progress_bar

    with progress_bar("verifying", sum(writer.records for writer in source.writers())) as advance:
        found: Verification = verify_source(source, kept, trusted=keys, processes=processes, progress=advance)
    return found


def _exported(directory: Path | None) -> "Source | None":
    if directory is None:
        return None
    from env_server.audit.export_source import ExportSource

    if not directory.is_dir():
        raise ConfigError(f"there is no export {directory}", hint="give the directory that `audit export` made")
    return ExportSource(directory)


def _database(place: Place) -> "Source":
    from env_server.audit.database_source import DatabaseSource

    return DatabaseSource(place)


def _place(config: Path | None, data_dir: Path | None, url: str | None) -> Place:
    return _ledger(config, data_dir, url).place


def _ledger(config: Path | None, data_dir: Path | None, url: str | None) -> LedgerConfig:
    return load_config(config, {"ledger.data_dir": data_dir, "ledger.url": url}).ledger


def _keys(given: Sequence[str]) -> list[bytes]:
    from env_server.audit.kept import read_key

    return [read_key(one) for one in given]


def _milliseconds(text: str | None, option: str) -> int | None:
    from env_server.record_filter import moment

    at = moment(text, option)
    return None if at is None else round(at.timestamp() * 1000)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
