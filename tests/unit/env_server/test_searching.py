"""Finding records: every filter, pages that miss nothing, and statements that never read the whole table."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert

from env_server.ledger.entry import Kind
from env_server.ledger.opening import open_to_write
from env_server.ledger.place import Place
from env_server.ledger.schema import outcome_parts, outcomes, records
from env_server.ledger.searching import Position, count, page, position, query
from env_server.record_filter import RecordFilter, RecordQuery, moment
from rewarders.errors import ConfigError, RequestError

BEGAN_MS = 1_700_000_000_000
COUNT = 3000
OUTCOMES = [
    [("maths.equal", "equal", False)],
    [("maths.equal", "not_equal", False), ("layout.tags", "missing_close", False)],
    [("maths.equal", "RewarderFault", True)],
]


def record_id(ms: int, draw: random.Random) -> bytes:
    return (ms << 80 | 0x7 << 76 | draw.getrandbits(76)).to_bytes(16, "big")


def row(number: int, draw: random.Random) -> dict:
    fault = number % 100 == 0
    return {
        "writer": 1 + number % 2, "seq": number, "id": record_id(BEGAN_MS + number * 10, draw),
        "at_ms": BEGAN_MS + number * 10, "kind": "reward", "about": None, "run": f"run-{number % 3}",
        "step": number // 100, "group": f"group-{number // 8}", "sample": number % 8, "task_id": f"t{number % 50}",
        "rubric": "math.v1", "status": "unscored" if fault else "scored",
        "reward": None if fault else (number % 10) / 10, "outcome": 3 if fault else 1 + number % 2,
        "commitment": bytes(32), "leaf": bytes(32),
    }  # fmt: skip


def note(number: int, draw: random.Random, about: bytes) -> dict:
    made = row(number, draw) | {"kind": "label", "about": about, "outcome": None, "status": None, "reward": None}
    return made


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    yield from filled(Place(tmp_path_factory.mktemp("sqlite")))


@pytest.fixture(scope="module")
def postgresql(postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    yield from filled(Place(tmp_path_factory.mktemp("postgresql"), postgres.make_database()))


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request: pytest.FixtureRequest) -> Connection:
    return request.getfixturevalue(request.param)


def filled(place: Place) -> Iterator[Connection]:
    engine = open_to_write(place)
    draw = random.Random(7)
    rows = [row(number, draw) for number in range(COUNT)]
    notes = [note(COUNT + number, draw, rows[number]["id"]) for number in range(5)]
    parts = [
        {"outcome": number, "position": place, "rewarder": said[0], "reason": said[1], "fault": said[2]}
        for number, one in enumerate(OUTCOMES, 1)
        for place, said in enumerate(one)
    ]
    with engine.begin() as made:
        made.execute(insert(outcomes), [{"id": n, "digest": bytes([n] * 32)} for n in range(1, 4)])
        made.execute(insert(outcome_parts), parts)
        made.execute(insert(records), rows + notes)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def numbers(connection: Connection, limit: int = COUNT, **wanted) -> list[int]:
    """Which of the records match, by the number they were made from."""
    rows, _ = page(connection, RecordFilter(**wanted), Position(limit=limit))
    times = [datetime.fromisoformat(one["at"]).timestamp() * 1000 - BEGAN_MS for one in rows]
    return [round(ms / 10) for ms in times]


def at(number: int) -> datetime:
    return datetime.fromtimestamp((BEGAN_MS + number * 10) / 1000, UTC)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({"run": "run-1"}, lambda n: n % 3 == 1),
        ({"run": "run-1", "step": 7}, lambda n: n % 3 == 1 and n // 100 == 7),
        ({"run": "run-1", "step_min": 7, "step_max": 9}, lambda n: n % 3 == 1 and 7 <= n // 100 <= 9),
        ({"group": "group-3"}, lambda n: n // 8 == 3),
        ({"task_id": "t9"}, lambda n: n % 50 == 9),
        ({"rubric": "math.v1"}, lambda n: True),
        ({"rubric": "code.v1"}, lambda n: False),
        ({"status": "unscored"}, lambda n: n % 100 == 0),
        ({"status": "scored"}, lambda n: n % 100 != 0),
        ({"since": at(2990)}, lambda n: n >= 2990),
        ({"since": at(5), "until": at(10)}, lambda n: 5 <= n < 10),
        ({"reward_min": 0.85}, lambda n: n % 100 != 0 and n % 10 == 9),
        ({"reward_max": 0.0}, lambda n: n % 100 != 0 and n % 10 == 0),
        ({"rewarder": "layout.tags"}, lambda n: n % 100 != 0 and n % 2 == 1),
        ({"rewarder": "maths.equal"}, lambda n: True),
        ({"reason": "RewarderFault"}, lambda n: n % 100 == 0),
        ({"rewarder": "maths.equal", "reason": "missing_close"}, lambda n: False),
        ({"reason": "equal", "run": "run-0", "step": 3}, lambda n: n % 100 and n % 6 == 0 and n // 100 == 3),
    ],
)
def test_a_filter_gives_what_matches_and_nothing_else(connection, wanted: dict, matches):
    expected = [n for n in reversed(range(COUNT)) if matches(n)]
    assert numbers(connection, **wanted) == expected
    assert count(connection, RecordFilter(**wanted)) == len(expected)


def test_notes_are_given_where_they_are_asked_for(connection):
    assert numbers(connection, kind="label") == list(range(COUNT + 4, COUNT - 1, -1))
    assert numbers(connection, limit=3, kind="all") == [COUNT + 4, COUNT + 3, COUNT + 2]
    assert numbers(connection, kind="label", reason="no_such_reason") == []
    rows, _ = page(connection, RecordFilter(kind="label"), Position())
    assert {row["kind"] for row in rows} == {"label"}
    assert all(UUID(row["about"]) for row in rows)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("wanted", [{}, {"run": "run-2"}, {"reason": "not_equal"}, {"run": "run-2", "step_max": 11}])
def test_pages_join_without_a_gap_or_a_double(connection, wanted: dict, newest_first: bool):
    chosen, seen, cursor = RecordFilter(**wanted), [], ""
    while cursor is not None:
        where = position(cursor or None, newest_first=newest_first, limit=70)
        rows, cursor = page(connection, chosen, where)
        seen += [row["id"] for row in rows]
    assert len(seen) == len(set(seen)) == count(connection, chosen)
    assert seen == sorted(seen, reverse=newest_first)


def test_a_last_page_that_is_just_full_leads_nowhere(connection):
    rows, cursor = page(connection, RecordFilter(step=7), Position(limit=100))
    assert (len(rows), cursor) == (100, None)


def test_a_row_says_what_its_rewarders_said(connection):
    (row,), _ = page(connection, RecordFilter(step=7, reason="missing_close"), Position(limit=1))
    said = [(one["rewarder"], one["reason"], one["fault"]) for one in row["said"]]
    assert said == OUTCOMES[1]


@pytest.mark.parametrize("cursor", ["x", "0", "../..", "1" * 33, "%"])
def test_a_cursor_that_is_none_is_the_senders_mistake(cursor: str):
    with pytest.raises(RequestError, match="cursor"):
        position(cursor, newest_first=True, limit=1)


def plan(connection: Connection, where: Position, **wanted) -> list[str]:
    """How SQLite goes about a page."""
    statement = query(connection, RecordFilter(**wanted), where, where.limit).compile(connection)
    values = tuple(statement.params[name] for name in statement.positiontup or ())
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    return [row[3] for row in rows if "records" in row[3]]


@pytest.mark.parametrize(
    "wanted",
    [
        {}, {"run": "run-1"}, {"run": "run-1", "step": 3}, {"run": "run-1", "step_min": 3, "step_max": 5},
        {"since": at(1)}, {"reason": "equal"}, {"task_id": "t9"}, {"kind": "label"}, {"status": "unscored"},
    ],
)  # fmt: skip
def test_postgresql_has_an_index_for_each_filter_too(postgresql, wanted: dict):
    postgresql.exec_driver_sql("SET enable_seqscan = off")  # a table this small is read whole otherwise
    statement = query(postgresql, RecordFilter(**wanted), Position(limit=10), 10)
    shown = statement.compile(postgresql, compile_kwargs={"render_postcompile": True})
    found = postgresql.exec_driver_sql(f"EXPLAIN {shown}", shown.params).scalars().all()
    postgresql.exec_driver_sql("RESET enable_seqscan")
    assert any("Index" in line for line in found)
    assert not any("Seq Scan on records" in line for line in found), found


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"run": "r"}, "records_in_run (run=?"),
        ({"run": "r", "step": 3}, "records_by_run (run=? AND step=?"),
        ({"run": "r", "step_min": 3, "step_max": 5}, "(run=?"),
        ({"since": at(1), "until": at(2)}, "(id>? AND id<?)"),
        ({"reason": "equal"}, "records_by_outcome (outcome=?"),
        ({"rewarder": "maths.equal"}, "records_by_outcome (outcome=?"),
        ({"run": "r", "reason": "equal"}, "=?"),
        ({"task_id": "t"}, "records_by_task (task_id=?"),
        ({"kind": "label"}, "records_noted (kind=?"),
    ],
)
def test_no_filter_reads_the_whole_table(sqlite, wanted: dict, index: str):
    for where in (Position(limit=10), Position(UUID(int=1 << 120), limit=10), Position(newest_first=False, limit=10)):
        steps = plan(sqlite, where, **wanted)
        assert steps
        assert all(step.startswith("SEARCH records") and index in step for step in steps), steps


def test_the_few_that_were_left_unscored_have_an_index_of_their_own(sqlite):
    assert all("records_unscored" in step for step in plan(sqlite, Position(), status="unscored"))


def test_a_page_of_everything_is_read_in_the_order_of_an_index(sqlite):
    (step,) = plan(sqlite, Position(limit=10))
    assert "USING INDEX" in step


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": -1},
        {"reward_min": "nan"},
        {"limit": 0},
        {"limit": 1001},
        {"order": "up"},
        {"run": ""},
        {"run": "a\x00b"},
        {"colour": "red"},
    ],
)
def test_a_query_refuses_what_it_does_not_know(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RecordQuery.model_validate(wrong)


def test_every_kind_of_record_can_be_asked_for():
    assert {RecordFilter.model_validate({"kind": kind}).kind for kind in Kind} == set(Kind)


def test_a_time_is_given_as_people_do():
    assert moment("2026-03-01T12:00", "--since") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    ago = moment("36h", "--since")
    assert ago is not None
    assert 36 * 3600 - 60 < datetime.now(UTC).timestamp() - ago.timestamp() < 36 * 3600 + 60
    for wrong in ("yesterday", "h", "", "9999999d", "-1d"):
        with pytest.raises(ConfigError, match="--since"):
            moment(wrong, "--since")
