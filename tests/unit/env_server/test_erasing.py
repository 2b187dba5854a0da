"""Erasing: what goes, what stays, what says so, and what happens when it is cut short."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from ledgers import database, note, reward, write, writing

from env_server.audit import erasing, erasure_checks
from env_server.audit.database_source import DatabaseSource
from env_server.audit.erasing import Erased, erase
from env_server.audit.findings import Damage
from env_server.audit.kept import kept_beside
from env_server.audit.selecting import Chosen
from env_server.audit.verifying import verify
from env_server.judges.memory import Memory, key_of
from env_server.ledger.codec import unpack
from env_server.ledger.entry import Entry, Kind
from env_server.ledger.kept_replies import KeptReply
from env_server.ledger.laying import lay_out
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.ledger.subjects import SubjectErased
from env_server.ledger.writer import LedgerWriter
from env_server.replay import recomputing
from env_server.replay.results import Replay, Result
from rewarders.digests import canonical_json
from rewarders.errors import AssayError, LedgerError


def take(data: Path, *chosen: Chosen) -> Erased:
    with closing(LedgerWriter(Place(data))) as writer:
        return erase(Place(data), writer, chosen, "asked to", by="me")


def findings(data: Path) -> list[Damage]:
    return [one.damage for one in verify(DatabaseSource(Place(data)), kept_beside(data)).findings]


def counts(data: Path) -> dict[str, int]:
    with database(data) as ledger:
        return {
            table: ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("records", "details", "bodies", "replies")
        }


def bytes_of(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in data.glob("*.sqlite3*"))


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    made = [reward(number) for number in range(40)]
    write(tmp_path, made)
    return made


def test_an_erased_record_keeps_its_row_and_the_ledger_verifies(tmp_path, entries):
    before = counts(tmp_path)
    erased = take(tmp_path, Chosen(ids=[entries[3].id]))
    assert (erased.records, erased.bodies) == (1, 1), "the completion; fifteen others have the same task"
    assert counts(tmp_path) == {**before, "records": 41, "details": 40, "bodies": before["bodies"] - 1}
    assert findings(tmp_path) == []
    with closing(LedgerReader(Place(tmp_path))) as reader:
        record = reader.record(str(UUID(bytes=entries[3].id)))
    assert record["erased"]
    assert (record["reward"], record["task"], record["completion"]) == (entries[3].reward, None, None)
    assert [(one["kind"], one["why"], one["by"]) for one in record["notes"]] == [("erasure", "asked to", "me")]


def test_what_is_erased_is_in_no_file_of_the_data_directory(tmp_path):
    secret = reward(1)
    secret = Entry(**{**secret.__dict__, "completion": b'{"text":"My name is Rumpelstilzchen."}'})
    write(tmp_path, [reward(0), secret, reward(2)])
    needle = next(body for body in lay_out([secret]).bodies.values() if b"Rumpel" in unpack(body))
    with database(tmp_path) as connection:
        (salt,) = connection.execute("select salt from records where id = ?", [secret.id]).fetchone()
    assert all(known in bytes_of(tmp_path) for known in (needle, salt))
    take(tmp_path, Chosen(ids=[secret.id]))
    assert not any(known in bytes_of(tmp_path) for known in (needle, salt))


def test_a_body_goes_with_the_last_record_that_needs_it(tmp_path, entries):
    assert take(tmp_path, Chosen(ids=[one.id for one in entries[:15]])).bodies == 15
    assert take(tmp_path, Chosen(ids=[entries[15].id])).bodies == 2, "the task goes with its last completion"


def test_a_run_is_erased_with_what_was_said_of_its_records_later(tmp_path):
    kept, gone = reward(0, run="kept"), reward(1, run="gone")
    label = note(Kind.LABEL, gone.id, label="bad", reason="says too much", by="me")
    write(tmp_path, [kept, gone, label, note(Kind.LABEL, kept.id, label="good", reason="", by="me")])
    erased = take(tmp_path, Chosen(run="gone"))
    assert erased.records == 2
    assert findings(tmp_path) == []
    with closing(LedgerReader(Place(tmp_path))) as reader:
        assert reader.record(str(UUID(bytes=label.id)))["erased"]
        assert not reader.record(str(UUID(bytes=kept.id)))["erased"]


def test_records_are_erased_in_batches_and_each_says_what_it_took(tmp_path, entries, monkeypatch):
    monkeypatch.setattr("env_server.audit.selecting.BATCH", 16)
    erased = take(tmp_path, Chosen(run="r"))
    assert (erased.records, len(erased.said_in)) == (40, 3)
    with closing(LedgerReader(Place(tmp_path))) as reader:
        said = [reader.record(str(UUID(one)))["detail"] for one in erased.said_in]
    assert [list(one["places"].values()) for one in said] == [[[[0, 16]]], [[[16, 32]]], [[[32, 40]]]]
    assert findings(tmp_path) == []
    assert take(tmp_path, Chosen(run="r")).records == 0, "there is nothing left to erase"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure that does not go on is not waited for."""
    monkeypatch.setattr(erasure_checks, "_PAUSE_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_an_erasure_that_is_cut_short_is_found_and_can_be_taken_again(tmp_path, entries, monkeypatch):
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "_remove", killed)
        with pytest.raises(KeyboardInterrupt):
            take(tmp_path, Chosen(ids=[entries[3].id]))
    assert findings(tmp_path) == [Damage.ERASURE_UNDONE]
    take(tmp_path, Chosen(ids=[entries[3].id]))
    assert findings(tmp_path) == []


def test_bodies_that_an_erasure_left_behind_go_with_the_next(tmp_path, entries, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(erasing, "sweep_bodies", lambda _: 0)
        take(tmp_path, Chosen(ids=[entries[3].id]))
    assert take(tmp_path, Chosen(ids=[entries[4].id])).bodies == 2


def test_a_body_that_came_back_while_it_was_swept_stays(tmp_path, entries, monkeypatch):
    from env_server.audit import sweeping

    again = Entry(**{**reward(99).__dict__, "completion": entries[3].completion})
    looked_for = sweeping._unused

    def and_meanwhile() -> Any:
        monkeypatch.setattr(sweeping, "_batches", lambda values: _write_first(tmp_path, again, values))
        return looked_for()

    monkeypatch.setattr(sweeping, "_unused", and_meanwhile)
    take(tmp_path, Chosen(ids=[entries[3].id]))
    assert findings(tmp_path) == []


def _write_first(data: Path, entry: Entry, values: Sequence[Any]) -> list[Sequence[Any]]:
    if values and isinstance(values[0], bytes):
        write(data, [entry])
    return [values] if values else []


def test_kept_answers_that_repeat_an_erased_record_go_and_others_stay(tmp_path, entries):
    ids = [str(UUID(bytes=one.id)) for one in entries]
    with writing(tmp_path) as tree:
        answers = [KeptReply(f"key{n}", "", json.dumps({"items": [{"record_id": ids[n]}]}).encode()) for n in (3, 4)]
        tree.commit([lay_out([reward(50)])], answers)
    assert take(tmp_path, Chosen(ids=[entries[3].id])).replies == 1
    with database(tmp_path) as ledger:
        [(key, body)] = ledger.execute("SELECT key, body FROM replies").fetchall()
    assert key == "key4"
    assert ids[4].encode() in unpack(body)


def test_kept_answers_are_looked_at_some_at_a_time(tmp_path, entries, monkeypatch):
    from env_server.audit import sweeping

    monkeypatch.setattr(sweeping, "_AT_ONCE", 2)
    ids = [str(UUID(bytes=one.id)) for one in entries]
    with writing(tmp_path) as tree:
        answers = [KeptReply(f"key{n}", "", json.dumps({"items": [{"record_id": ids[n]}]}).encode()) for n in range(7)]
        tree.commit([lay_out([reward(50)])], answers)
    held, kept_after = [], sweeping._kept_after

    def counting(*given: Any) -> Any:
        held.append(len(found := kept_after(*given)))
        return found

    monkeypatch.setattr(sweeping, "_kept_after", counting)
    assert take(tmp_path, Chosen(ids=[entries[n].id for n in (0, 3, 6)])).replies == 3
    assert held == [2, 2, 2, 1, 0]
    assert counts(tmp_path)["replies"] == 4


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_judges_forget_what_they_answered_about_an_erased_record(tmp_path, tenant):
    exchanges = [{"identity": "sha256:a", "question": f"sha256:{n}", "sample": 0, "reply": "good"} for n in range(2)]
    entries = []
    for number, exchange in enumerate(exchanges):
        entry = reward(number)
        detail = {**json.loads(entry.detail), "models": [None, {"exchanges": [exchange, {"reward_model": "m"}]}, None]}
        entries.append(Entry(**{**entry.__dict__, "detail": canonical_json(detail), "tenant": tenant}))
    write(tmp_path, entries)
    keys = [key_of(tenant, one["identity"], one["question"], one["sample"]) for one in exchanges]
    with closing(Memory(tmp_path)) as memory:
        for key in keys:
            memory.keep(key, {"text": "an answer about somebody"})
    assert take(tmp_path, Chosen(ids=[entries[0].id])).judge_replies == 1
    with closing(Memory(tmp_path)) as memory:
        assert [memory.reply(key) is None for key in keys] == [True, False]


def test_records_older_than_a_time_go_and_flagged_ones_stay(tmp_path, entries):
    write(tmp_path, [note(Kind.LABEL, entries[5].id, label="good"), note(Kind.INVALIDATION, entries[6].id, reason="x")])
    write(tmp_path, [note(Kind.REPLAY, entries[7].id, result="equal")])
    later = entries[-1].at_ms + 1
    erased = take(tmp_path, Chosen(before_ms=later, flagged=False, kind=Kind.REWARD))
    assert erased.records == 40 - 2 + 1, "a replay repeats what it is about, and flags nothing"
    assert findings(tmp_path) == []
    assert take(tmp_path, Chosen(before_ms=entries[0].at_ms, flagged=True, kind=Kind.REWARD)).records == 0
    assert take(tmp_path, Chosen(before_ms=later, flagged=True, kind=Kind.REWARD)).records == 4


def test_an_erasure_itself_is_never_erased(tmp_path, entries):
    take(tmp_path, Chosen(ids=[entries[3].id]))
    assert take(tmp_path, Chosen(before_ms=2**47)).records == 39
    assert findings(tmp_path) == []
    with database(tmp_path) as ledger:
        [kept] = ledger.execute("SELECT count(*) FROM records WHERE kind = 'erasure' AND salt IS NOT NULL").fetchone()
    assert kept == 2


def test_an_outage_stops_the_erasure_with_an_error_of_ours(tmp_path, entries):
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as ledger:
        ledger.execute("CREATE TRIGGER no BEFORE DELETE ON details BEGIN SELECT RAISE(ABORT, 'disk is gone'); END")
    with pytest.raises(LedgerError, match="disk is gone"):
        take(tmp_path, Chosen(ids=[entries[3].id]))


def test_a_ledger_verifies_while_it_is_written_and_erased(tmp_path, entries):
    """What is read at one moment and gone at the next is looked at again, and is no finding."""
    stop, found = threading.Event(), []

    def go_on() -> None:
        with writing(tmp_path) as tree:
            while not stop.is_set():
                tree.commit([lay_out([reward(number, run="later") for number in range(8)])])

    def verify_again_and_again() -> None:
        while not stop.is_set():
            found.extend(findings(tmp_path))

    threads = [threading.Thread(target=go_on), threading.Thread(target=verify_again_and_again)]
    for thread in threads:
        thread.start()
    for begin in range(0, 40, 4):
        take(tmp_path, Chosen(ids=[entry.id for entry in entries[begin : begin + 4]]))
    stop.set()
    for thread in threads:
        thread.join()
    assert found == []
    assert findings(tmp_path) == []


@pytest.mark.usefixtures("impatient")
def test_a_judges_memory_that_cannot_be_written_stops_the_erasure_before_it_erases(tmp_path, entries):
    (tmp_path / "judges.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(AssayError, match=r"judges\.sqlite3"):
        take(tmp_path, Chosen(ids=[entries[3].id]))
    assert findings(tmp_path) == [Damage.ERASURE_UNDONE]


def test_what_is_said_of_what_was_said_goes_with_the_record(tmp_path):
    subject = reward(0)
    label = note(Kind.LABEL, subject.id, label="bad", reason="names Ann", by="me")
    taken_back = note(Kind.INVALIDATION, label.id, reason="Ann it was not", by="me")
    write(tmp_path, [subject, reward(1), label, taken_back])
    assert take(tmp_path, Chosen(ids=[subject.id])).records == 3
    with closing(LedgerReader(Place(tmp_path))) as reader:
        assert reader.record(str(UUID(bytes=taken_back.id)))["erased"]
    assert findings(tmp_path) == []


@pytest.mark.parametrize("kind", [Kind.LABEL, Kind.REPLAY])
def test_nothing_is_said_of_a_record_that_is_erased(tmp_path, entries, kind):
    take(tmp_path, Chosen(ids=[entries[3].id]))
    before = counts(tmp_path)
    with pytest.raises(SubjectErased, match="was erased"):
        write(tmp_path, [note(kind, entries[4].id), note(kind, entries[3].id, evidence="his name")])
    assert counts(tmp_path) == before
    write(tmp_path, [note(kind, entries[4].id)])


def test_what_was_said_while_a_record_was_erased_goes_too(tmp_path, entries, monkeypatch):
    """Written after the erasure looked for notes, and before it erased."""
    late = note(Kind.REPLAY, entries[3].id, evidence="his name")
    forgot = erasing._forget_judges

    def meanwhile(*given: Any) -> int:
        monkeypatch.setattr(erasing, "_forget_judges", forgot)
        write(tmp_path, [late])
        return forgot(*given)

    monkeypatch.setattr(erasing, "_forget_judges", meanwhile)
    assert take(tmp_path, Chosen(task_id="t0")).records == 16 + 1
    with closing(LedgerReader(Place(tmp_path))) as reader:
        assert reader.record(str(UUID(bytes=late.id)))["erased"]
    assert findings(tmp_path) == []


def test_an_erasure_taken_again_finds_what_was_said_of_the_record(tmp_path, entries, monkeypatch):
    label = note(Kind.LABEL, entries[3].id, label="bad", reason="names Ann", by="me")
    write(tmp_path, [label])
    with monkeypatch.context() as patched:
        patched.setattr(erasing, "notes_about", lambda *_: [])
        take(tmp_path, Chosen(ids=[entries[3].id]))
    assert take(tmp_path, Chosen(ids=[entries[3].id])).records == 1
    assert findings(tmp_path) == []


def test_a_replay_of_a_record_that_was_erased_meanwhile_is_not_kept_and_the_others_are(tmp_path, entries):
    names = [str(UUID(bytes=entry.id)) for entry in entries[:3]]
    with closing(LedgerReader(Place(tmp_path))) as reader:
        documents = [reader.record(name) for name in names]
    take(tmp_path, Chosen(ids=[entries[1].id]))
    replays = [Replay(record_id=name, result=Result.EQUAL) for name in names]
    with closing(LedgerWriter(Place(tmp_path), max_waiting_records=9)) as writer:
        service = SimpleNamespace(engine=SimpleNamespace(ledger=writer, redactor=None))
        asyncio.run(recomputing._keep(service, documents, replays))
    with database(tmp_path) as ledger:
        kept = ledger.execute("SELECT about FROM records WHERE kind = 'replay' ORDER BY id").fetchall()
    assert kept == [(entries[0].id,), (entries[2].id,)]
