"""The ledger's writer and reader on real databases: SQLite in a folder, and PostgreSQL where there is one."""

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from ledger_entries import reward_entry
from sqlalchemy import text, update

from env_server.audit.database_source import DatabaseSource
from env_server.audit.findings import Damage
from env_server.audit.verifying import verify
from env_server.engine import KeepReply
from env_server.idempotency import Replays
from env_server.ledger import tree
from env_server.ledger.entry import Entry, Kind, Said, new_id, placed_leaf
from env_server.ledger.inserting import insert_new, insert_rows
from env_server.ledger.kept_replies import KeptReply, KeyTaken
from env_server.ledger.laying import lay_out
from env_server.ledger.merkle import Frontier, leaf_hash
from env_server.ledger.notes import open_checkpoint
from env_server.ledger.opening import open_to_write
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.ledger.schema import bodies, details, records, writers
from env_server.ledger.writer import LedgerWriter
from rewarders.errors import LedgerError, Overloaded, RequestError


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    url = request.getfixturevalue("postgres").make_database() if request.param == "postgres" else None
    return Place(tmp_path / "data", url)


@contextmanager
def writer(place: Place, **settings: float) -> Iterator[LedgerWriter]:
    with closing(LedgerWriter(place, **{"max_waiting_records": 10_000, **settings})) as opened:
        yield opened


Append = tuple[Sequence[Entry], KeptReply | None]


def append_all(ledger: LedgerWriter, *appends: Append) -> list[BaseException | None]:
    async def run() -> list[BaseException | None]:
        return await asyncio.gather(*(ledger.append(*each) for each in appends), return_exceptions=True)

    return asyncio.run(run())


def verified_count(place: Place) -> int:
    verification = verify(DatabaseSource(place), processes=1)
    assert verification.findings == ()
    return verification.records


def shown(place: Place, entry: Entry) -> dict | None:
    with closing(LedgerReader(place)) as reader:
        return reader.record(str(UUID(bytes=entry.id)))


def execute(place: Place, statement: str) -> None:
    engine = open_to_write(place)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_record_reads_as_it_was_given(place: Place):
    entry = reward_entry("12", reward=0.25, group="g", sample=3, step=2**53 - 1)
    with writer(place) as ledger:
        ledger.append_now([entry])
    record = shown(place, entry)
    assert record is not None
    assert (record["reward"], record["group"], record["sample"], record["step"]) == (0.25, "g", 3, 2**53 - 1)
    assert (record["task"], record["completion"]) == ({"id": "t1"}, {"text": "12"})
    assert (record["instrument"], record["service"]) == ([{"rewarder": "odd.length"}], "assay 0")
    assert (record["breakdown"]["reward"], record["notes"], record["erased"]) == (0.25, [], False)


def test_the_instrument_of_a_part_holds_what_was_used_for_it(place: Place):
    detail = b'{"breakdown":{},"sandboxes":[{"runs":1}],"models":[{"exchanges":[]}]}'
    entry = reward_entry(detail=detail)
    with writer(place) as ledger:
        ledger.append_now([entry])
    record = shown(place, entry)
    assert record is not None
    (part,) = record["instrument"]
    assert (part["sandbox"], part["models"]) == ({"runs": 1}, {"exchanges": []})


def test_what_is_said_of_a_record_later_is_among_its_notes(place: Place):
    entry = reward_entry()
    notes = [
        Entry(id=new_id(), kind=Kind.LABEL, about=entry.id, detail=b'{"label":"good","by":"me"}'),
        Entry(id=new_id(), kind=Kind.INVALIDATION, about=entry.id, detail=b'{"reason":"leak"}'),
    ]
    with writer(place) as ledger:
        ledger.append_now([entry])
        ledger.append_now(notes)
    record = shown(place, entry)
    assert record is not None
    said = [(note["kind"], note.get("label")) for note in record["notes"]]
    assert said == [("label", "good"), ("invalidation", None)]
    label = shown(place, notes[0])
    assert label is not None
    assert label["detail"] == {"label": "good", "by": "me"}
    assert verified_count(place) == 3


def test_sixteen_answers_to_one_task_keep_it_and_its_instrument_once(place: Place):
    with writer(place) as ledger:
        ledger.append_now([reward_entry(f"{n}") for n in range(16)])
    engine = open_to_write(place)
    with engine.begin() as connection:
        assert connection.execute(text("select count(*) from bodies")).scalar() == 16 + 2
        assert connection.execute(text("select count(*) from outcomes")).scalar() == 1
    engine.dispose()


def test_a_record_that_cannot_be_written_harms_nobody_it_was_committed_with(place: Place):
    bad = reward_entry(step=2**70)
    with writer(place) as ledger:
        outcomes = append_all(ledger, ([reward_entry()], None), ([bad], None), ([reward_entry()], None))
        assert [type(outcome) for outcome in outcomes] == [type(None), LedgerError, type(None)]
        assert ledger.trouble is None
        assert append_all(ledger, ([reward_entry()], None)) == [None]
    assert verified_count(place) == 3


def test_a_negative_zero_verifies(place: Place):
    with writer(place) as ledger:
        ledger.append_now([reward_entry(reward=-0.0)])
    assert verified_count(place) == 1


def test_two_servers_on_one_database_write_a_tree_each(place: Place):
    with writer(place) as one, writer(place) as other:
        for _ in range(5):
            assert append_all(one, ([reward_entry("one")], None)) == [None]
            assert append_all(other, ([reward_entry("other")], None)) == [None]
    verification = verify(DatabaseSource(place), processes=1)
    assert (verification.findings, [tree.size for tree in verification.trees]) == ((), [5, 5])


def test_the_next_process_goes_on_with_the_tree_of_the_last(place: Place):
    for _ in range(3):
        with writer(place) as ledger:
            ledger.append_now([reward_entry()])
    (only,) = verify(DatabaseSource(place), processes=1).trees
    assert (only.size, only.checkpoints) == (3, 3)


def test_a_key_that_another_server_took_first_is_given_its_answer_alone_and_leaves_no_record(place: Place):
    first, late = (KeptReply("key", "digest", body) for body in (b"first", b"late"))
    own = KeptReply("k", "", b"")
    with writer(place) as one, writer(place) as other:
        assert append_all(one, ([reward_entry()], first)) == [None]
        outcomes = append_all(other, ([reward_entry()], None), ([reward_entry()], late), ([reward_entry()], own))
        assert [type(outcome) for outcome in outcomes] == [type(None), KeyTaken, type(None)]
        assert isinstance(outcomes[1], KeyTaken)
        assert outcomes[1].kept == first
        assert other.kept_reply("k") == ("", b"")
    assert verified_count(place) == 3


def test_a_key_whose_answer_has_had_its_time_is_free(place: Place):
    with writer(place, keep_replies_s=0.01) as ledger:
        for body in (b"old", b"new"):
            assert append_all(ledger, ([reward_entry()], KeptReply("key", "digest", body))) == [None]
            time.sleep(0.02)
    with writer(place) as ledger:
        assert ledger.kept_reply("key") == ("digest", b"new")
    assert verified_count(place) == 2


def test_one_key_raced_over_two_servers_has_one_answer(place: Place):
    async def race(one: LedgerWriter, other: LedgerWriter, key: str) -> set[bytes]:
        replays = [Replays(one), Replays(other)]

        async def compute(ledger: LedgerWriter, body: bytes, keep: KeepReply) -> bytes:
            await ledger.append([reward_entry()], KeptReply(keep.key, keep.request_digest, body))
            return body

        asked = (
            replay.answer(key, "digest", partial(compute, ledger, body))
            for replay, ledger, body in zip(replays, (one, other), (b"1", b"2"), strict=True)
        )
        return set(await asyncio.gather(*asked))

    with writer(place) as one, writer(place) as other:
        assert all(len(asyncio.run(race(one, other, f"key {n}"))) == 1 for n in range(10))
    assert verified_count(place) == 10


def test_a_key_raced_with_another_body_is_refused(place: Place):
    async def late(ledger: LedgerWriter, keep: KeepReply) -> bytes:
        await ledger.append([reward_entry()], KeptReply(keep.key, keep.request_digest, b"2"))
        return b"2"

    async def race(one: LedgerWriter, other: LedgerWriter) -> None:
        async def compute(keep: KeepReply) -> bytes:
            await one.append([reward_entry()], KeptReply(keep.key, "of another body", b"1"))
            return await late(other, keep)

        await Replays(other).answer("key", "digest", compute)

    with writer(place) as one, writer(place) as other, pytest.raises(RequestError, match="with another body"):
        asyncio.run(race(one, other))
    assert verified_count(place) == 1


def forge_a_tail(place: Place) -> None:
    """What whoever has the database and no key can do: a reward more, and an end of the tree that fits it."""
    engine = open_to_write(place)
    with engine.begin() as connection:
        laid = lay_out([reward_entry(said=(), detail=b"{}")])
        size = connection.execute(text("select size from writers")).scalar_one()
        frontier = Frontier.load(size, bytes(connection.execute(text("select frontier from writers")).scalar_one()))
        leaf = leaf_hash(placed_leaf(size, laid.leaves[0]))
        frontier.append(leaf)
        connection.execute(update(writers).values(size=size + 1, frontier=frontier.dump()))
        insert_rows(connection, records, [(1, size, *laid.heads[0], None, *laid.tails[0], leaf)])
        insert_rows(connection, details, [(1, size, laid.details[0])])
        insert_new(connection, bodies, sorted(laid.bodies.items()))
    engine.dispose()


def test_a_tail_that_was_added_without_the_key_is_found_and_never_signed(place: Place):
    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
    forge_a_tail(place)
    (finding,) = verify(DatabaseSource(place), processes=1).findings
    assert (finding.damage, finding.seq) == (Damage.END_CHANGED, 1)
    with pytest.raises(LedgerError, match="signed 1 records, and the database has 2"):
        LedgerWriter(place)


def test_a_note_that_is_not_the_writers_is_found_and_not_gone_on_from(place: Place):
    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
    execute(place, "update writers set note = replace(note, 'time 20', 'time 19')")
    assert {one.damage for one in verify(DatabaseSource(place), processes=1).findings} == {Damage.SIGNATURE}
    with pytest.raises(LedgerError, match="is damaged"):
        LedgerWriter(place)


def test_a_commit_is_signed_before_any_checkpoint_is_kept(place: Place, tmp_path: Path):
    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
        ledger.append_now([reward_entry()])
        execute(place, "delete from checkpoints")
        (only,) = verify(DatabaseSource(place), processes=1).trees
        assert (only.size, only.checkpoints) == (2, 1)


def test_a_clock_that_was_put_back_keeps_nothing_from_being_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tree, "CHECKPOINT_S", 0.0)
    with writer(Place(tmp_path)) as ledger:
        monkeypatch.setattr("time.time", lambda: 1e9)
        ledger.append_now([reward_entry()])
        ledger.append_now([reward_entry()])
        assert not ledger._tree.is_ahead


def test_a_database_file_that_was_moved_away_is_noticed(tmp_path: Path):
    with writer(Place(tmp_path)) as ledger:
        ledger.append_now([reward_entry()])
        (tmp_path / "ledger.sqlite3").rename(tmp_path / "moved")
        with pytest.raises(LedgerError, match="is not the file any more"):
            ledger.append_now([reward_entry()])
        assert ledger.trouble is not None
        (tmp_path / "moved").rename(tmp_path / "ledger.sqlite3")
    assert verified_count(Place(tmp_path)) == 1


def test_the_log_of_a_sqlite_ledger_is_bounded(tmp_path: Path):
    engine = open_to_write(Place(tmp_path))
    with engine.begin() as connection:
        assert connection.execute(text("pragma journal_size_limit")).scalar_one() == 64 * 1024 * 1024
    engine.dispose()


def test_an_answer_is_kept_for_its_time_and_no_longer(place: Place):
    with writer(place) as ledger:
        append_all(ledger, ([reward_entry()], KeptReply("key", "digest", b"{}")))
        assert ledger.kept_reply("key") == ("digest", b"{}")
    with writer(place, keep_replies_s=1e-6) as ledger:
        assert ledger.kept_reply("key") is None
        append_all(ledger, ([reward_entry()], KeptReply("other", "digest", b"{}")))
    with writer(place) as ledger:
        assert ledger.kept_reply("key") is None, "an old answer was not removed"


def test_a_full_queue_takes_nothing(tmp_path: Path):
    with writer(Place(tmp_path), max_waiting_records=2) as ledger:
        outcomes = append_all(ledger, ([reward_entry()] * 3, None), ([reward_entry()], None))
    assert [type(outcome) for outcome in outcomes] == [Overloaded, type(None)]
    assert verified_count(Place(tmp_path)) == 1


def test_a_copied_data_directory_is_found_out_and_writes_nothing_more(postgres, tmp_path: Path):
    url = postgres.make_database()
    with writer(Place(tmp_path / "one", url)) as ledger:
        ledger.append_now([reward_entry()])
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    with writer(Place(tmp_path / "one", url)) as one, writer(Place(tmp_path / "copy", url)) as copy:
        one.append_now([reward_entry()])
        for _ in range(2):
            with pytest.raises(LedgerError, match="another process writes with the same key"):
                copy.append_now([reward_entry()])
        assert copy.trouble is not None
        one.append_now([reward_entry()])
    assert verified_count(Place(tmp_path / "one", url)) == 3


def test_a_database_put_back_to_an_older_state_is_not_gone_on_with(tmp_path: Path):
    place, backup = Place(tmp_path / "data"), tmp_path / "backup.sqlite3"
    file = tmp_path / "data" / "ledger.sqlite3"
    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
    shutil.copy(file, backup)
    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
    shutil.copy(backup, file)
    with pytest.raises(LedgerError, match="signed 2 records, and the database has 1") as refused:
        LedgerWriter(place)
    assert "move" in refused.value.hint


def test_a_writer_whose_tree_was_rolled_back_under_it_stops(place: Place):
    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
        ledger.append_now([reward_entry()])
        execute(place, "update writers set size = 1")
        with pytest.raises(LedgerError, match="has 1 records in the database, and 2 were written here"):
            ledger.append_now([reward_entry()])
        with pytest.raises(LedgerError, match="has 1 records"):
            ledger.append_now([reward_entry()])


def test_after_a_failed_commit_the_writer_looks_where_its_tree_ends_and_goes_on(place: Place):
    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
        execute(place, "alter table details rename to hidden")
        with pytest.raises(LedgerError, match="could not be written"):
            ledger.append_now([reward_entry()])
        execute(place, "alter table hidden rename to details")
        ledger.append_now([reward_entry()])
    assert verified_count(place) == 2


def test_a_commit_of_which_nobody_heard_is_found_and_not_written_again(place: Place, monkeypatch: pytest.MonkeyPatch):
    """The connection is lost after COMMIT took effect: what the database says counts."""
    settle = tree.WriterTree._settle

    def lost(*_: object, **__: object) -> None:
        raise LedgerError("the connection is lost")

    with writer(place) as ledger:
        ledger.append_now([reward_entry()])
        monkeypatch.setattr(tree.WriterTree, "_settle", lost)
        with pytest.raises(LedgerError, match="the connection is lost"):
            ledger.append_now([reward_entry()])
        monkeypatch.setattr(tree.WriterTree, "_settle", settle)
        ledger.append_now([reward_entry()])
    assert verified_count(place) == 3


def test_a_checkpoint_is_signed_while_records_come_and_at_the_end(place: Place, tmp_path: Path):
    published = tmp_path / "elsewhere"
    with closing(LedgerWriter(place, max_waiting_records=5000, publish_dir=published)) as ledger:
        for _ in range(3):
            ledger.append_now([reward_entry() for _ in range(1000)])
        key = ledger._slot.signer.public_key
        ledger.append_now([reward_entry()])
    (file,) = published.iterdir()
    beside_the_key = tmp_path / "data" / "writers" / "1" / "checkpoint"
    assert file.read_text() == beside_the_key.read_text()
    assert open_checkpoint(file.read_text(), key).size == 3001
    (only,) = verify(DatabaseSource(place), processes=1).trees
    assert only.checkpoints == 4


def test_a_place_for_checkpoints_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path):
    (tmp_path / "file").touch()
    with closing(LedgerWriter(Place(tmp_path), publish_dir=tmp_path / "file")) as ledger:
        ledger.append_now([reward_entry() for _ in range(1000)])
        ledger.append_now([])
        assert ledger.limitation is not None
        assert "file" in ledger.limitation
        assert ledger.trouble is None


def test_faults_and_verdicts_are_told_apart_in_what_can_be_searched(place: Place):
    said = (Said("a.b", "wrong", fault=False), Said("c.d", "SandboxFault", fault=True))
    with writer(place) as ledger:
        ledger.append_now([reward_entry(said=said), reward_entry(said=said), reward_entry(said=())])
    engine = open_to_write(place)
    with engine.begin() as connection:
        parts = connection.execute(text("select rewarder, reason, fault from outcome_parts order by position")).all()
        outcomes = connection.execute(text("select outcome from records order by seq")).scalars().all()
    engine.dispose()
    assert [tuple(part) for part in parts] == [("a.b", "wrong", 0), ("c.d", "SandboxFault", 1)]
    assert outcomes == [1, 1, None]


@pytest.mark.parametrize("name", ["with ? mark", "a=b&c", "spaces and ünïcode", "100%"])
def test_the_ledger_is_where_the_path_says_whatever_is_in_it(tmp_path: Path, name: str):
    with writer(Place(tmp_path / name)) as ledger:
        ledger.append_now([reward_entry()])
    assert (tmp_path / name / "ledger.sqlite3").exists()
    assert verified_count(Place(tmp_path / name)) == 1


def test_many_writers_that_begin_at_once_agree_on_the_tables(place: Place):
    """Each in a thread, with a database that is still empty."""

    async def begin() -> list[LedgerWriter]:
        return await asyncio.gather(*(asyncio.to_thread(LedgerWriter, place) for _ in range(4)))

    writers = asyncio.run(begin())
    for ledger in writers:
        ledger.append_now([reward_entry()])
        ledger.close()
    assert [one.size for one in verify(DatabaseSource(place), processes=1).trees] == [1] * 4


def test_a_password_is_not_in_what_is_said_of_a_database_that_cannot_be_reached(tmp_path: Path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    place = Place(tmp_path, f"postgresql://assay@/none?host={tmp_path}", secret)
    with pytest.raises(LedgerError, match="cannot be opened") as failed:
        LedgerWriter(place)
    assert "hunter2" not in f"{failed.value} {failed.value.__cause__}"
