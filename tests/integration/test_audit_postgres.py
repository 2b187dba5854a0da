"""Auditing a ledger in PostgreSQL that several hosts write to."""

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from ledgers import note, reward, write, writing
from postgres import Cluster
from sqlalchemy import Engine, create_engine, text

from env_server.audit.database_source import DatabaseSource
from env_server.audit.erasing import Erased, erase
from env_server.audit.export_source import ExportSource
from env_server.audit.exporting import Wanted, export
from env_server.audit.findings import Damage
from env_server.audit.proofs import check
from env_server.audit.proving import prove
from env_server.audit.sealing import seal
from env_server.audit.selecting import Chosen
from env_server.audit.sweeping import sweep_bodies
from env_server.audit.verifying import verify
from env_server.ledger.entry import Entry, Kind, new_id
from env_server.ledger.inserting import insert_new
from env_server.ledger.laying import lay_out
from env_server.ledger.place import Place
from env_server.ledger.schema import bodies
from env_server.ledger.subjects import SubjectErased
from env_server.ledger.writer import LedgerWriter

ENTRIES = [reward(number, run="a" if number % 2 else "b") for number in range(60)]


@pytest.fixture
def url(postgres: Cluster, tmp_path: Path) -> str:
    """A database that two hosts have written to."""
    made = postgres.make_database()
    write(tmp_path / "first", ENTRIES[:40], at_once=10, url=made)
    write(tmp_path / "second", [*ENTRIES[40:], note(Kind.LABEL, ENTRIES[3].id, label="good")], url=made)
    return made


def execute(url: str, statement: str) -> int:
    database = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with database.begin() as connection:
        count = connection.execute(text(statement)).rowcount
    database.dispose()
    return count


def take(place: Place, chosen: Chosen) -> Erased:
    with closing(LedgerWriter(place)) as writer:
        return erase(place, writer, [chosen], "asked to")


def damages(url: str) -> set[Damage]:
    return {finding.damage for finding in verify(DatabaseSource(Place(None, url))).findings}


def test_the_trees_of_two_hosts_verify_from_a_third(url):
    verification = verify(DatabaseSource(Place(None, url)))
    assert verification.findings == ()
    assert sorted(tree.records for tree in verification.trees) == [21, 40]


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        ("UPDATE records SET reward = 0.25 WHERE seq = 7 AND writer = 1", Damage.CHANGED),
        ("UPDATE records SET leaf = sha256(leaf) WHERE seq = 7 AND writer = 1", Damage.CHANGED),
        ("DELETE FROM records WHERE seq = 7 AND writer = 1", Damage.REMOVED),
        ("DELETE FROM records WHERE seq > 37 AND writer = 1", Damage.TRUNCATED),
        ("UPDATE details SET data = set_byte(data, 12, get_byte(data, 12) # 1) WHERE seq = 7", Damage.DETAIL_CHANGED),
        ("UPDATE bodies SET data = set_byte(data, 12, get_byte(data, 12) # 1)", Damage.BODY_CHANGED),
        ("DELETE FROM bodies WHERE digest IN (SELECT completion FROM records WHERE seq = 7)", Damage.BODY_MISSING),
        ("UPDATE writers SET size = size - 1 WHERE id = 1", Damage.INSERTED),
        ("UPDATE checkpoints SET root = sha256(root)", Damage.SIGNATURE),
        ("UPDATE outcome_parts SET reason = 'equal' WHERE reason = 'wrong'", Damage.OUTCOME_CHANGED),
    ],
)
def test_tampering_in_postgresql_is_found(url, statement, damage):
    assert execute(url, statement)
    assert damage in damages(url)


def test_records_are_proved_exported_and_sealed(url, tmp_path):
    assert check(prove(Place(None, url), str(ENTRIES[45].id.hex()))).size == 21
    export(Place(None, url), tmp_path / "out", Wanted(run="a"))
    assert verify(ExportSource(tmp_path / "out")).findings == ()
    sealed = seal(Place(tmp_path / "first", url), tmp_path / "sealed")
    assert sorted(tree.size for tree in sealed.trees) == [21, 40]
    assert verify(ExportSource(tmp_path / "sealed")).findings == ()


def test_a_run_of_both_hosts_is_erased_from_one(url, tmp_path):
    erased = take(Place(tmp_path / "first", url), Chosen(run="a"))
    assert erased.records == 31, "the label was about one of them"
    assert damages(url) == set()
    assert execute(url, "UPDATE bodies SET data = data") == 30 + 4 + 1, (
        "completions and tasks of run b, and the instrument"
    )


def test_a_body_that_a_writer_is_just_referring_to_again_is_spared(url, tmp_path):
    """The writer finds the body there, so inserts none, and has not committed when the sweep comes: that waits."""
    [digest] = lay_out([Entry(id=new_id(), kind=Kind.REWARD, detail=b"{}", task=b"{}")]).bodies
    database = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with database.begin() as connection:
        insert_new(connection, bodies, [(digest, b"\0{}")])
    swept: list[int] = []
    sweep = threading.Thread(target=lambda: swept.append(sweep_bodies(database)))
    with database.begin() as writer:
        insert_new(writer, bodies, [(digest, b"\0{}")])
        sweep.start()
        while sweep.is_alive() and not waiting(database):
            time.sleep(0.01)
        place = "SELECT 1, size, :id, 0, 'reward', :digest, :hash, :hash FROM writers WHERE id = 1"
        columns = "writer, seq, id, at_ms, kind, task, commitment, leaf"
        values = {"id": new_id(), "digest": digest, "hash": bytes(32)}
        writer.execute(text(f"INSERT INTO records ({columns}) {place}"), values)
    sweep.join()
    database.dispose()
    assert swept == [0]


def waiting(database: Engine) -> bool:
    """Whether somebody waits for the table of bodies."""
    locks = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'bodies'::regclass"
    with database.begin() as connection:
        return bool(connection.execute(text(locks)).scalar_one())


def test_a_note_that_is_just_being_written_goes_with_the_record_it_is_about(url, tmp_path):
    """The erasure finds the record locked by the note, waits for it, and looks for notes again."""
    late, erased = note(Kind.REPLAY, ENTRIES[5].id, evidence="his name"), list[Erased]()
    chosen = Chosen(ids=[ENTRIES[5].id])
    eraser = threading.Thread(target=lambda: erased.append(take(Place(tmp_path / "first", url), chosen)))
    with writing(tmp_path / "second", url) as tree:
        written = tree._write

        def and_wait(*given: object) -> None:
            written(*given)
            eraser.start()
            until_somebody_waits_for_a_lock(url)

        tree._write = and_wait
        tree.commit([lay_out([late])])
    eraser.join()
    assert erased[0].records == 2
    assert damages(url) == set()
    with pytest.raises(SubjectErased):
        write(tmp_path / "second", [note(Kind.REPLAY, ENTRIES[5].id)], url=url)


def until_somebody_waits_for_a_lock(url: str) -> None:
    database = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    for _ in range(600):
        with database.connect() as connection:
            if connection.execute(waiting).scalar_one():
                break
        time.sleep(0.05)
    else:
        pytest.fail("nobody waits")
    database.dispose()
