"""Which databases are opened, which are refused, and what is said of it."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_entries import reward_entry
from sqlalchemy import text

from env_server.config import load_config
from env_server.ledger import migrations
from env_server.ledger.opening import open_to_read, open_to_write
from env_server.ledger.place import Place, url_problem
from env_server.ledger.reader import LedgerReader
from env_server.ledger.schema import REVISION, metadata
from env_server.ledger.slots import claim_slot
from env_server.ledger.writer import LedgerWriter
from rewarders.errors import ConfigError, LedgerError


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    url = request.getfixturevalue("postgres").make_database() if request.param == "postgres" else None
    return Place(tmp_path / "data", url)


def test_the_migrations_lead_to_the_tables_that_the_code_uses(place: Place):
    database = open_to_write(place)
    with database.connect().execution_options(read_only=True) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.dispose()


def test_the_newest_migration_is_the_schema_of_this_version():
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == REVISION


@pytest.mark.parametrize(("revision", "says"), [("9999", "does not know"), (REVISION, None)])
def test_a_newer_ledger_is_neither_read_nor_written(place: Place, revision: str, says: str | None):
    database = open_to_write(place)
    with database.begin() as connection:
        connection.execute(text("update alembic_version set version_num = :new"), {"new": revision})
    database.dispose()
    for opened in (open_to_read, open_to_write):
        if says is None:
            opened(place).dispose()
        else:
            with pytest.raises(LedgerError, match=says) as refused:
                opened(place)
            assert "version of assay" in refused.value.hint


def test_a_ledger_from_before_there_were_keys_is_migrated_with_its_records(place: Place):
    with closing(LedgerWriter(place)) as ledger:
        ledger.append_now([reward_entry()])
    database = open_to_write(place)
    with database.begin() as connection:
        for statement in ("drop table keys", "drop index records_by_tenant"):
            connection.execute(text(statement))
        connection.execute(text("update alembic_version set version_num = '0001'"))
    database.dispose()
    with pytest.raises(LedgerError, match="has schema 0001") as refused:
        open_to_read(place)
    assert "migrates it" in refused.value.hint
    database = open_to_write(place)
    with database.connect().execution_options(read_only=True) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(text("select count(*) from records")).scalar_one() == 1
    database.dispose()


def test_a_ledger_from_before_the_migrations_is_refused_by_name(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as old:
        old.execute("create table heads (chain integer primary key)")
        old.execute("create table records (seq integer primary key)")
    for opened in (open_to_read, open_to_write):
        with pytest.raises(LedgerError, match="made before its schema had a number"):
            opened(Place(tmp_path))


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_file_that_is_no_ledger_is_an_error_of_ours(tmp_path: Path, content: bytes):
    (tmp_path / "ledger.sqlite3").write_bytes(content)
    with pytest.raises(LedgerError, match=r"cannot be read|there is no ledger"):
        LedgerReader(Place(tmp_path))


def test_an_empty_database_is_no_ledger_to_a_reader(postgres):
    with pytest.raises(LedgerError, match="there is no ledger in postgresql://"):
        open_to_read(Place(None, postgres.make_database()))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_postgres_that_cannot_keep_every_text_is_refused(postgres, tmp_path: Path, encoding: str):
    url = postgres.make_database(f"--encoding={encoding}", "--template=template0")
    with pytest.raises(LedgerError, match=f"keeps text as {encoding}"):
        LedgerWriter(Place(tmp_path, url))


def test_a_postgres_that_may_forget_commits_is_told_not_to(postgres):
    url = postgres.make_database()
    place = Place(Path("unused"), url)
    database = open_to_write(Place(postgres.folder / "data-dir", url))
    with database.begin() as connection:
        name = connection.execute(text("select current_database()")).scalar()
        connection.exec_driver_sql(f"alter database {name} set synchronous_commit = off")
    database.dispose()
    database = open_to_read(place)
    with database.connect() as connection:
        assert connection.execute(text("show synchronous_commit")).scalar() == "on"
    database.dispose()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://me@host/db", None),
        ("postgresql:///db?host=/run/postgresql", None),
        ("postgresql://me:secret@host/db", "holds a password"),
        ("postgresql://me@host/db?password=secret", "holds a password"),
        ("postgresql://me@host/db?sslpassword=secret", "holds a password"),
        ("mysql://host/db", "has to begin with postgresql://"),
        ("sqlite:///secret.sqlite3", "has to begin with postgresql://"),
        ("postgresql://[secret/db", "is no URL"),
    ],
)
def test_a_url_with_a_password_or_of_another_database_is_refused_without_repeating_it(url: str, says: str | None):
    problem = url_problem(url)
    assert (problem is None) if says is None else (problem is not None and says in problem)
    if says:
        with pytest.raises(ConfigError, match="url") as refused:
            load_config(None, {"ledger.url": url})
        assert "secret" not in str(refused.value)
        assert says in str(refused.value)


def test_a_password_comes_from_a_file_that_can_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"password_file is '.*missing', which cannot be read"):
        open_to_write(Place(tmp_path, "postgresql://me@localhost/db", tmp_path / "missing"))


def test_a_password_for_sqlite_is_a_mistake():
    with pytest.raises(ConfigError, match="password_file is given, and url is not"):
        load_config(None, {"ledger.password_file": "file"})


def test_each_process_has_a_slot_and_the_next_takes_over_one_that_is_free(tmp_path: Path):
    one, two = claim_slot(tmp_path), claim_slot(tmp_path)
    assert (one.directory.name, two.directory.name) == ("1", "2")
    one.release()
    again = claim_slot(tmp_path)
    assert (again.directory.name, again.signer.public_key) == ("1", one.signer.public_key)
    two.release()
    again.release()
    assert (one.directory / "key.pem").stat().st_mode & 0o777 == 0o600


def test_many_claims_at_once_get_a_slot_each(tmp_path: Path):
    slots = []
    threads = [threading.Thread(target=lambda: slots.append(claim_slot(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {slot.directory.name for slot in slots} == {str(n) for n in range(1, 9)}
    for slot in slots:
        slot.release()


def test_a_slot_whose_key_is_damaged_stops_the_start_and_is_let_go(tmp_path: Path):
    with closing(LedgerWriter(Place(tmp_path))) as ledger:
        ledger.append_now([reward_entry()])
    key = tmp_path / "writers" / "1" / "key.pem"
    kept = key.read_bytes()
    key.write_bytes(b"no key")
    for _ in range(2):
        with pytest.raises(LedgerError, match="holds no signing key"):
            LedgerWriter(Place(tmp_path))
    key.write_bytes(kept)
    with closing(LedgerWriter(Place(tmp_path))) as ledger:
        ledger.append_now([reward_entry()])
    assert [path.name for path in (tmp_path / "writers").iterdir()] == ["1"]


def test_a_checkpoint_file_that_was_changed_stops_the_start(tmp_path: Path):
    with closing(LedgerWriter(Place(tmp_path))) as ledger:
        ledger.append_now([reward_entry()])
    checkpoint = tmp_path / "writers" / "1" / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("\n1\n", "\n2\n"))
    with pytest.raises(LedgerError, match=r"writers/1/checkpoint: .*signature"):
        LedgerWriter(Place(tmp_path))
