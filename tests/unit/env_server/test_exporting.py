"""Exports: what is in them, that others can read them, and that they verify by themselves or not at all."""

import json
import re
from contextlib import closing
from pathlib import Path

import duckdb
import pandas
import pytest
from ledgers import database, note, reward, write, writing
from pyarrow import parquet

from env_server.audit.erasing import erase
from env_server.audit.export_source import ExportSource
from env_server.audit.exporting import Exported, Wanted, export
from env_server.audit.findings import Damage
from env_server.audit.kept import kept_beside
from env_server.audit.selecting import Chosen
from env_server.audit.verifying import Verification, verify
from env_server.ledger.entry import Entry, Kind
from env_server.ledger.laying import lay_out
from env_server.ledger.place import Place
from env_server.ledger.writer import LedgerWriter
from rewarders.errors import ConfigError, LedgerError

RUNS = ("a", "b", "a", "a", "c")


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return [reward(number, run=RUNS[number % 5]) for number in range(100)]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]) -> Path:
    data = tmp_path_factory.mktemp("exporting") / "data"
    with writing(data) as tree:
        for begin in range(0, 100, 25):
            tree.commit([lay_out(entries[begin : begin + 25])])
            tree.sign()
    write(data, [note(Kind.LABEL, entries[1].id, label="bad"), note(Kind.LABEL, entries[4].id, label="good")])
    with closing(LedgerWriter(Place(data))) as writer:
        erase(Place(data), writer, [Chosen(ids=[entries[6].id])], "asked to")
    return data


def exported(ledger: Path, tmp_path: Path, **wanted: object) -> tuple[Path, Exported]:
    return tmp_path / "out", export(Place(ledger), tmp_path / "out", Wanted(**wanted))


def verified(directory: Path) -> Verification:
    return verify(ExportSource(directory))


def damages(directory: Path) -> set[Damage]:
    return {finding.damage for finding in verified(directory).findings}


def test_an_export_of_everything_verifies_without_the_ledger(ledger, tmp_path):
    directory, done = exported(ledger, tmp_path)
    verification = verified(directory)
    assert verification.findings == ()
    assert (done.records, verification.records, verification.trees[0].erased) == (103, 103, 1)
    assert verification.trees[0].checkpoints >= 5
    assert verify(ExportSource(directory), kept_beside(ledger)).findings == ()


@pytest.mark.parametrize("run", ["a", "b", "c", "no such run"])
def test_an_export_of_one_run_verifies_although_the_others_are_left_out(ledger, entries, tmp_path, run):
    directory, done = exported(ledger, tmp_path, run=run)
    verification = verified(directory)
    assert verification.findings == ()
    labels = {"b": 1, "c": 1}.get(run, 0)
    assert done.records == sum(one.run == run for one in entries) + labels + 1, "the erasure is in every export"
    assert verification.trees[0].checkpoints == 1
    assert (done.whole, verification.whole) == (False, False), "nothing says that no record of the run was left out"
    texts = (directory / "records.parquet").read_bytes()
    assert done.left_out == 103 - done.records
    assert b"What is 0 + 1?" in texts or run != "a"


def test_what_is_left_out_is_written_as_it_comes(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr("env_server.audit.exporting.ROWS_A_GROUP", 4)
    directory, _ = exported(ledger, tmp_path, run="a")
    assert parquet.ParquetFile(directory / "left_out.parquet").num_row_groups > 5
    assert verified(directory).findings == ()


def test_an_export_of_a_time_holds_the_records_of_that_time(ledger, entries, tmp_path):
    cut = entries[60].at_ms
    _, done = exported(ledger, tmp_path, until_ms=cut)
    assert 0 < done.records - 1 - 2 <= 60 or cut == entries[0].at_ms
    assert verified(tmp_path / "out").findings == ()


def test_duckdb_and_pandas_read_an_export(ledger, entries, tmp_path):
    directory, _ = exported(ledger, tmp_path)
    path = directory / "records.parquet"
    [(count, mean)] = duckdb.sql(
        f"SELECT count(*), avg(reward) FROM '{path}' WHERE kind = 'reward' AND run = 'a' AND \"at\" > '2020-01-01'"
    ).fetchall()
    mine = [one.reward for one in entries if one.run == "a"]
    assert (count, mean) == (60, pytest.approx(sum(mine) / 60))
    [(answer,)] = duckdb.sql(
        f"SELECT detail->>'$.breakdown.components[1].verdict.evidence.answer' FROM '{path}' WHERE seq = 17"
    ).fetchall()
    assert answer == "17"
    [(reasons,)] = duckdb.sql(f"SELECT [one.reason FOR one IN said] FROM '{path}' WHERE seq = 1").fetchall()
    assert reasons == ["ok", "wrong", "JudgeFault"]
    frame = pandas.read_parquet(path)
    assert len(frame) == 103
    assert str(frame["at"].dtype).startswith("datetime64")
    assert frame.groupby("run")["reward"].count()["a"] == 60


def change(directory: Path, where: str, **columns: str) -> None:
    """Rewrite the Parquet file as whoever tampers with an export would."""
    path = directory / "records.parquet"
    replaced = ", ".join(f'{value} AS "{name}"' for name, value in columns.items())
    changed = f"SELECT * REPLACE ({replaced}) FROM '{path}' WHERE {where}"
    others = f"SELECT * FROM '{path}' WHERE NOT ({where})"
    duckdb.sql(f"COPY ({changed} UNION ALL {others} ORDER BY writer, seq) TO '{directory / 'new'}' (FORMAT parquet)")
    (directory / "new").rename(path)


@pytest.mark.parametrize(
    ("column", "value", "damage"),
    [
        ("reward", "0.25::DOUBLE", Damage.CHANGED),
        ("run", "'z'", Damage.CHANGED),
        ("at", '"at" + INTERVAL 1 SECOND', Damage.CHANGED),
        ("id", "'01a1fe90-0dc7-7592-8956-6a5fe9c799d3'", Damage.CHANGED),
        ("id", "'x'", Damage.CHANGED),
        ("instrument", "instrument || ' '", Damage.CHANGED),
        ("task", "replace(task, 'What', 'Who')", Damage.DETAIL_CHANGED),
        ("completion", "completion || ' '", Damage.DETAIL_CHANGED),
        ("detail", "replace(detail, '17', '18')", Damage.DETAIL_CHANGED),
        ("detail", "NULL", Damage.DETAIL_MISSING),
        ("said", "[]", Damage.OUTCOME_CHANGED),
        ("salt", "NULL", Damage.ERASURE_UNDONE),
        ("leaf", "'x'::BLOB", Damage.CHANGED),
        ("seq", "12", Damage.REMOVED),
        ("seq", "900", Damage.INSERTED),
        ("writer", "'assay/0000000000000000'", Damage.REMOVED),
    ],
)
def test_a_changed_export_is_found(ledger, tmp_path, column, value, damage):
    directory, _ = exported(ledger, tmp_path)
    change(directory, "seq = 17 AND kind = 'reward'", **{column: value})
    assert damage in damages(directory)


def test_an_export_written_again_by_another_tool_still_verifies(ledger, tmp_path):
    directory, _ = exported(ledger, tmp_path)
    change(directory, "seq = 17", run="run")
    assert verified(directory).findings == ()


def test_a_row_taken_out_of_a_filtered_export_is_found(ledger, tmp_path):
    directory, _ = exported(ledger, tmp_path, run="a")
    path = directory / "records.parquet"
    duckdb.sql(f"COPY (SELECT * FROM '{path}' WHERE seq <> 12) TO '{directory / 'new'}' (FORMAT parquet)")
    (directory / "new").rename(path)
    [finding] = verified(directory).findings
    assert (finding.damage, finding.seq) == (Damage.REMOVED, 12)


@pytest.mark.parametrize("change", ["seq = seq + 1", "height = height + 1", "root = 'x'::BLOB"])
def test_a_changed_subtree_of_what_was_left_out_is_found(ledger, tmp_path, change):
    directory, _ = exported(ledger, tmp_path, run="a")
    path = directory / "left_out.parquet"
    column, _, value = change.partition(" = ")
    duckdb.sql(
        f"COPY (SELECT * REPLACE (CASE WHEN seq = 1 THEN {value} ELSE {column} END AS {column}) FROM '{path}') "
        f"TO '{directory / 'new'}' (FORMAT parquet)"
    )
    (directory / "new").rename(path)
    assert damages(directory)


def test_an_export_whose_ledger_file_was_changed_is_refused_or_found(ledger, tmp_path):
    directory, _ = exported(ledger, tmp_path)
    path = directory / "ledger.json"
    text = path.read_text()
    path.write_text(re.sub('"size": *103', '"size": 90', text))
    assert damages(directory) >= {Damage.INSERTED}
    path.write_text(text.replace("assay.export/1", "assay.export/9"))
    with pytest.raises(LedgerError, match="format"):
        verified(directory)
    path.unlink()
    with pytest.raises(LedgerError, match="no export"):
        verified(directory)


def test_an_export_whose_end_nobody_signed_is_found(ledger, tmp_path):
    directory, _ = exported(ledger, tmp_path)
    path = directory / "ledger.json"
    document = json.loads(path.read_text())
    del document["writers"][0]["checkpoints"][-1]
    path.write_text(json.dumps(document))
    assert damages(directory) == {Damage.END_CHANGED}


def test_a_file_that_is_no_parquet_is_refused(ledger, tmp_path):
    directory, _ = exported(ledger, tmp_path)
    (directory / "records.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(LedgerError, match="cannot be read as an export"):
        verified(directory)


def test_a_directory_that_holds_something_is_left_alone(ledger, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(ConfigError, match="is there already"):
        exported(ledger, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_damaged_record_stops_the_export_and_is_named(tmp_path):
    data = tmp_path / "data"
    write(data, [reward(number) for number in range(5)])
    with database(data) as connection:
        connection.execute("UPDATE details SET data = x'09' WHERE seq = 3")
    with pytest.raises(LedgerError, match="record 3 of assay/"):
        exported(data, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
