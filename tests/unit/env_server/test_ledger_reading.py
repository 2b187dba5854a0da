"""Reading a ledger beside whoever writes it: bounded in threads, in time and in bytes."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from ledger_entries import reward_entry
from sqlalchemy import text

from env_server.ledger.entry import Entry, Kind, new_id
from env_server.ledger.opening import database_errors
from env_server.ledger.place import Place
from env_server.ledger.reader import ALL_NOTES, MOST_NOTES, LedgerReader
from env_server.ledger.reading_threads import ReadingThreads
from env_server.ledger.searching import position
from env_server.ledger.writer import LedgerWriter
from env_server.record_filter import RecordQuery
from env_server.routes import records as route
from rewarders.errors import LedgerError, Overloaded

ENDLESS = "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more) SELECT count(*) FROM more"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    url = request.getfixturevalue("postgres").make_database() if request.param == "postgres" else None
    return Place(tmp_path / "data", url)


def write(place: Place, *entries: Entry) -> None:
    with closing(LedgerWriter(place)) as ledger:
        ledger.append_now(entries)


@pytest.fixture
def reading() -> Iterator[ReadingThreads]:
    with closing(ReadingThreads(threads=1, most_readers=2)) as threads:
        yield threads


def test_a_statement_that_takes_too_long_is_given_up_and_the_next_is_not(place: Place):
    write(place, reward_entry())
    with closing(LedgerReader(place, statement_s=0.1)) as reader:
        with (
            pytest.raises(LedgerError, match="would take too long") as failed,
            database_errors("cannot be read"),
            reader.connect() as connection,
        ):
            connection.execute(text(ENDLESS)).scalar_one()
        assert "ask for less" in failed.value.hint
        assert reader.search(RecordQuery().filter, position(None, newest_first=True, limit=10))[0]


def test_of_many_notes_the_newest_are_shown_and_all_are_counted(tmp_path: Path):
    entry = reward_entry()
    notes = [Entry(id=new_id(), kind=Kind.LABEL, about=entry.id, detail=b"{}") for _ in range(MOST_NOTES + 3)]
    write(Place(tmp_path), entry, *notes)
    name = str(UUID(bytes=entry.id))
    with closing(LedgerReader(Place(tmp_path))) as reader:
        record, whole = reader.record(name), reader.record(name, ALL_NOTES)
    assert record is not None
    assert whole is not None
    assert [note["id"] for note in record["notes"]] == [str(UUID(bytes=one.id)) for one in notes[3:]]
    assert (record["note_count"], whole["note_count"], len(whole["notes"])) == (103, 103, 103)


def test_a_page_of_long_records_ends_early_and_the_next_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    entries = [reward_entry("x" * 2000) for _ in range(7)]
    write(Place(tmp_path), *entries)
    monkeypatch.setattr(route, "_MOST_BYTES", 5000)
    seen, cursor, pages = [], None, 0
    with closing(LedgerReader(Place(tmp_path))) as reader:
        while pages == 0 or cursor:
            query = RecordQuery(expand=True, limit=5, cursor=cursor, order="oldest")
            where = position(cursor, newest_first=False, limit=5)
            answer = json.loads(route._page(reader, query, where, None))
            seen += [record["id"] for record in answer["records"]]
            cursor, pages = answer["next"], pages + 1
    assert seen == [str(UUID(bytes=entry.id)) for entry in entries]
    assert pages == 4, "two or three on each, since the first that is too much is still given"


def test_readers_wait_for_each_other_and_take_no_thread_of_others(reading: ReadingThreads):
    go = threading.Event()

    async def run() -> list[object]:
        slow = [asyncio.create_task(reading.run(go.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2 others"):
            await reading.run(str)
        free = [await asyncio.to_thread(threading.current_thread) for _ in range(3)]
        go.set()
        assert await asyncio.gather(*slow) == [True, True]
        assert await reading.run(str) == ""
        return [thread.name for thread in free]

    assert not any(str(name).startswith("reading") for name in asyncio.run(run()))
