"""Ways to change a ledger behind its writer's back, and what `audit verify` makes of each."""

import shutil
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest
from ledgers import database, note, reward, write, writing

from env_server.audit.database_source import DatabaseSource
from env_server.audit.findings import Damage, Finding
from env_server.audit.kept import kept_beside, kept_in
from env_server.audit.verifying import Verification, verify
from env_server.ledger.entry import Kind, leaf_data, said_digest
from env_server.ledger.laying import lay_out
from env_server.ledger.merkle import Frontier, leaf_hash
from env_server.ledger.place import Place

RECORDS = 60
VICTIM = 17
SIGNED_COLUMNS = (
    *("seq", "id", "at_ms", "kind", "about", "tenant", "run", "step", "group", "sample", "task_id", "rubric"),
    *("status", "reward", "instrument", "commitment", "leaf", "task", "completion", "salt"),
)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of several commits, with a checkpoint after each thirty records, and notes."""
    data = tmp_path_factory.mktemp("ledger") / "data"
    entries = [reward(number, tenant="team") for number in range(RECORDS)]
    with writing(data) as tree:
        for begin in range(0, RECORDS, 30):
            tree.commit([lay_out(entries[begin : begin + 30])])
            tree.sign()
        tree.commit([lay_out([note(Kind.LABEL, entries[VICTIM].id, label="good", reason="", by="me")])])
    return data


@pytest.fixture
def data(untouched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untouched, tmp_path / "data"))


def verified(data: Path) -> Verification:
    return verify(DatabaseSource(Place(data)), kept_beside(data))


def found(data: Path) -> tuple[Finding, ...]:
    return verified(data).findings


def kinds(data: Path) -> set[Damage]:
    return {finding.damage for finding in found(data)}


def value_of(data: Path, column: str, seq: int = VICTIM) -> object:
    with database(data) as ledger:
        return ledger.execute(f'SELECT "{column}" FROM records WHERE seq = ?', (seq,)).fetchone()[0]


def flipped(value: object) -> object:
    """The value with its last bit flipped."""
    match value:
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 1)
        case int():
            return value ^ 1
        case float():
            return value + 2**-52
        case None:
            return bytes(16)
    raise AssertionError(value)


def test_an_untouched_ledger_verifies(untouched):
    verification = verified(untouched)
    assert verification.findings == ()
    assert verification.records == RECORDS + 1
    [tree] = verification.trees
    assert tree.checkpoints == 4, "three in the database, and the newest beside the key"


@pytest.mark.parametrize("column", SIGNED_COLUMNS)
def test_one_flipped_bit_of_a_record_is_found_and_the_record_is_named(data, column):
    record = str(UUID(bytes=value_of(data, "id")))
    changed = flipped(value_of(data, column)) if column != "seq" else RECORDS + 5
    with database(data) as ledger:
        ledger.execute(f'UPDATE records SET "{column}" = ? WHERE seq = ?', (changed, VICTIM))
    findings = found(data)
    if column == "seq":
        assert {(one.damage, one.seq) for one in findings} >= {(Damage.REMOVED, VICTIM), (Damage.INSERTED, RECORDS + 1)}
    elif column == "id":
        assert any(one.damage is Damage.CHANGED and one.seq == VICTIM for one in findings)
    else:
        assert any((one.seq, one.record) == (VICTIM, record) for one in findings)


@pytest.mark.parametrize("column", ["run", "step", "reward", "task_id", "about", "salt", "kind"])
@pytest.mark.parametrize("value", ["x", b"x", 7, 7.5, None, float("inf"), b"\xff\xfe"])
def test_a_value_of_another_type_is_found_and_the_record_is_named(data, column, value):
    if column == "about" and value is None:
        return
    with database(data) as ledger:
        if type(value) is bytes and column == "run":
            ledger.execute("UPDATE records SET run = CAST(? AS TEXT) WHERE seq = ?", (value, VICTIM))
        elif not (column == "kind" and value is None):
            ledger.execute(f'UPDATE records SET "{column}" = ? WHERE seq = ?', (value, VICTIM))
        else:
            return
    assert any(one.seq == VICTIM for one in found(data))


def test_a_text_changed_into_the_bytes_that_are_spelled_like_it_is_found(data):
    with database(data) as ledger:
        ledger.execute("UPDATE records SET run = x'ab', leaf = leaf WHERE seq = ?", (VICTIM,))
    assert (Damage.CHANGED, VICTIM) in {(one.damage, one.seq) for one in found(data)}


@pytest.mark.parametrize("place", [0, 1, 9, -1])
def test_a_flipped_bit_of_a_detail_is_found_and_the_record_is_named(data, place):
    with database(data) as ledger:
        [packed] = ledger.execute("SELECT data FROM details WHERE seq = ?", (VICTIM,)).fetchone()
        changed = bytearray(packed)
        changed[place] ^= 2
        ledger.execute("UPDATE details SET data = ? WHERE seq = ?", (bytes(changed), VICTIM))
    assert (Damage.DETAIL_CHANGED, VICTIM) in {(one.damage, one.seq) for one in found(data)}


def test_the_details_of_two_records_swapped_are_both_found(data):
    with database(data) as ledger:
        for old, new in ((VICTIM, 999), (20, VICTIM), (999, 20)):
            ledger.execute("UPDATE details SET seq = ? WHERE seq = ?", (new, old))
    assert {one.seq for one in found(data) if one.damage is Damage.DETAIL_CHANGED} == {VICTIM, 20}


def test_a_removed_detail_is_found(data):
    with database(data) as ledger:
        ledger.execute("DELETE FROM details WHERE seq = ?", (VICTIM,))
    assert [(one.damage, one.seq) for one in found(data)] == [(Damage.DETAIL_MISSING, VICTIM)]


@pytest.mark.parametrize("place", [0, 1, 9, -1])
@pytest.mark.parametrize("column", ["task", "completion", "instrument"])
def test_a_flipped_bit_of_a_body_is_found_and_the_body_is_named(data, column, place):
    digest = value_of(data, column)
    with database(data) as ledger:
        [packed] = ledger.execute("SELECT data FROM bodies WHERE digest = ?", (digest,)).fetchone()
        changed = bytearray(packed)
        changed[place] ^= 2
        ledger.execute("UPDATE bodies SET data = ? WHERE digest = ?", (bytes(changed), digest))
    [finding] = found(data)
    assert finding.damage is Damage.BODY_CHANGED
    assert digest.hex() in finding.message


def test_bodies_are_read_in_turns_and_a_wrong_one_is_found_behind_many_without_a_digest(data, monkeypatch):
    monkeypatch.setattr("env_server.audit.database_source._BODIES_AT_ONCE", 3)
    with database(data) as ledger:
        for number in range(10):
            ledger.execute("INSERT INTO bodies (rowid, digest, data) VALUES (?, zeroblob(?), x'00')", (-number, number))
        ledger.execute("UPDATE bodies SET data = x'00' WHERE rowid = (SELECT max(rowid) FROM bodies)")
    assert [one.damage for one in found(data)] == [Damage.BODY_CHANGED] * 11


@pytest.mark.parametrize("column", ["task", "completion", "instrument"])
def test_a_removed_body_is_found_with_the_records_that_need_it(data, column):
    digest = value_of(data, column)
    with database(data) as ledger:
        ledger.execute("DELETE FROM bodies WHERE digest = ?", (digest,))
        [users] = ledger.execute(f"SELECT count(*) FROM records WHERE {column} = ?", (digest,)).fetchone()
    assert [one.damage for one in found(data)] == [Damage.BODY_MISSING] * users


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE outcome_parts SET reason = 'equal' WHERE reason = 'wrong'",
        "UPDATE outcome_parts SET fault = 1 - fault WHERE reason = 'wrong'",
        "UPDATE outcome_parts SET rewarder = 'x' WHERE reason = 'wrong'",
        "UPDATE records SET outcome = (SELECT outcome FROM records WHERE seq = 18) WHERE seq = 16",
        "UPDATE records SET outcome = NULL WHERE seq = 16",
        "UPDATE records SET outcome = 99 WHERE seq = 16",
        "UPDATE outcomes SET digest = zeroblob(32) WHERE id = (SELECT outcome FROM records WHERE seq = 16)",
        "DELETE FROM outcomes WHERE id = (SELECT outcome FROM records WHERE seq = 16)",
    ],
)
def test_an_outcome_that_is_not_what_was_said_is_found(data, statement):
    with database(data) as ledger:
        assert ledger.execute(statement).rowcount
    findings = found(data)
    assert {one.damage for one in findings} == {Damage.OUTCOME_CHANGED}
    assert 16 in {one.seq for one in findings}


def test_a_removed_row_is_found_and_its_place_is_named(data):
    with database(data) as ledger:
        ledger.execute("DELETE FROM records WHERE seq = ?", (VICTIM,))
    findings = found(data)
    assert [(one.damage, one.seq) for one in findings if one.damage is not Damage.DANGLING] == [
        (Damage.REMOVED, VICTIM)
    ]
    assert Damage.DANGLING in kinds(data), "the label was about it"


def test_several_removed_rows_are_named_together(data):
    with database(data) as ledger:
        ledger.execute("DELETE FROM records WHERE seq BETWEEN 3 AND 6")
    [finding] = found(data)
    assert (finding.damage, finding.message) == (Damage.REMOVED, "records 3 to 6 are missing")


def test_two_swapped_rows_are_found_and_both_are_named(data):
    one, other = (str(UUID(bytes=value_of(data, "id", seq))) for seq in (4, 40))
    with database(data) as ledger:
        for table in ("records", "details"):
            for old, new in ((4, 999), (40, 4), (999, 40)):
                ledger.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (new, old))
    [swapped] = [finding for finding in found(data) if finding.damage is Damage.SWAPPED]
    assert Damage.CHANGED not in kinds(data)
    assert (swapped.seq, swapped.record) == (4, other)
    assert one in swapped.message
    assert "at 40" in swapped.message


def test_two_rows_swapped_but_for_their_leaves_are_found_and_both_are_named(data):
    leaves = {seq: value_of(data, "leaf", seq) for seq in (4, 40)}
    with database(data) as ledger:
        for table in ("records", "details"):
            for old, new in ((4, 999), (40, 4), (999, 40)):
                ledger.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (new, old))
        for seq, leaf in leaves.items():
            ledger.execute("UPDATE records SET leaf = ? WHERE seq = ?", (leaf, seq))
    assert kinds(data) == {Damage.SWAPPED}


def test_a_truncated_tail_is_found(data):
    with database(data) as ledger:
        ledger.execute("DELETE FROM records WHERE seq >= 55")
    [finding] = found(data)
    assert (finding.damage, finding.message) == (Damage.TRUNCATED, "records 55 to 60 are missing at the end")


def forge_leaf(ledger: sqlite3.Connection, seq: int) -> None:
    """Make a record's leaf fit its columns and its outcome."""
    row = dict(ledger.execute("SELECT * FROM records WHERE seq = ?", (seq,)).fetchone())
    parts = "SELECT rewarder, reason, fault FROM outcome_parts WHERE outcome = ? ORDER BY position"
    said = tuple((one[0], one[1], bool(one[2])) for one in ledger.execute(parts, (row["outcome"],)))
    leaf = leaf_hash(leaf_data({**row, "said": said_digest(said)}))
    ledger.execute("UPDATE records SET leaf = ? WHERE seq = ?", (leaf, seq))


def test_the_reasons_of_an_erased_record_cannot_be_changed(data):
    with database(data) as ledger:
        ledger.execute("UPDATE records SET salt = NULL, task = NULL, completion = NULL WHERE seq = 16")
        ledger.execute("DELETE FROM details WHERE seq = 16")
        assert kinds(data) == {Damage.ERASED_UNSAID}
        ledger.execute("UPDATE records SET outcome = (SELECT outcome FROM records WHERE seq = 18) WHERE seq = 16")
    assert kinds(data) == {Damage.ERASED_UNSAID, Damage.CHANGED}


def cut(data: Path, size: int) -> None:
    """Cut off the tail so that the database fits in itself again."""
    with database(data) as ledger:
        for table in ("records", "details"):
            ledger.execute(f"DELETE FROM {table} WHERE seq >= ?", (size,))
        ledger.execute("DELETE FROM checkpoints WHERE size > ?", (size,))
        frontier = Frontier()
        for [leaf] in ledger.execute("SELECT leaf FROM records ORDER BY seq"):
            frontier.append(leaf)
        ledger.execute("UPDATE writers SET size = ?, frontier = ?", (size, frontier.dump()))


def test_a_tail_cut_off_with_care_is_found_by_the_checkpoint_beside_the_key(data):
    cut(data, 40)
    [finding] = found(data)
    assert finding.damage is Damage.TRUNCATED
    assert "was signed for 61 records, and the ledger has 40" in finding.message
    assert "writers/1/checkpoint" in finding.message


def test_a_tail_cut_off_is_found_by_a_checkpoint_in_the_database_alone(data):
    with database(data) as ledger:
        [(size, root, at_ms, text)] = ledger.execute(
            "SELECT size, root, at_ms, note FROM checkpoints WHERE size = 60"
        ).fetchall()
    cut(data, 40)
    shutil.rmtree(data / "writers")
    with database(data) as ledger:
        ledger.execute("INSERT INTO checkpoints VALUES (1, ?, ?, ?, ?)", (size, root, at_ms, text))
    assert kinds(data) == {Damage.TRUNCATED}


def test_a_forked_history_is_found_and_the_span_is_named(data):
    """A reward is changed and everything that follows from it is made to fit: leaf, tree, end."""
    with database(data) as ledger:
        ledger.row_factory = sqlite3.Row
        ledger.execute("UPDATE records SET reward = 0.5 WHERE seq = 40")
        forge_leaf(ledger, 40)
    cut(data, 61)
    [finding] = found(data)
    assert (finding.damage, finding.seq) == (Damage.FORKED, 30)
    assert "30 to 59" in finding.message


def test_a_history_written_anew_is_found_by_the_checkpoint_that_was_kept(data, tmp_path):
    """The whole database is replaced by another that its own writer made: only what was published can tell."""
    kept = tmp_path / "kept"
    shutil.copy(data / "writers" / "1" / "checkpoint", kept)
    shutil.rmtree(data)
    write(data, [reward(number) for number in range(80)])
    assert found(data) == ()
    [finding] = verify(DatabaseSource(Place(data)), kept_in([kept])).findings
    assert finding.damage is Damage.TRUNCATED
    assert "no writer" in finding.message


def test_the_same_writer_signing_another_history_is_found_by_the_checkpoint_that_was_kept(data, tmp_path):
    """Whoever holds the key can sign anything, but not so that an older checkpoint still fits."""
    kept = tmp_path / "kept"
    shutil.copy(data / "writers" / "1" / "checkpoint", kept)
    (data / "ledger.sqlite3").unlink()
    for rest in data.glob("ledger.sqlite3-*"):
        rest.unlink()
    (data / "writers" / "1" / "checkpoint").unlink()
    write(data, [reward(number) for number in range(80)])
    assert found(data) == ()
    [finding] = verify(DatabaseSource(Place(data)), kept_in([kept])).findings
    assert (finding.damage, finding.seq) == (Damage.FORKED, 0)
    assert str(kept) in finding.message


@pytest.mark.parametrize("column", ["size", "root", "at_ms", "note"])
def test_a_changed_checkpoint_is_found(data, column):
    with database(data) as ledger:
        [value] = ledger.execute(f"SELECT {column} FROM checkpoints WHERE size = 60").fetchone()
        changed = {"note": str(value).replace("60", "59"), "size": 58}.get(column) or flipped(value)
        ledger.execute(f"UPDATE checkpoints SET {column} = ? WHERE size = 60", (changed,))
    assert Damage.SIGNATURE in kinds(data)


@pytest.mark.parametrize(
    ("column", "damage"),
    [
        ("public_key", Damage.SIGNATURE),
        ("name", Damage.END_CHANGED),
        ("frontier", Damage.END_CHANGED),
        ("size", Damage.INSERTED),
        ("id", Damage.END_CHANGED),
    ],
)
def test_a_changed_row_of_a_writer_is_found(data, column, damage):
    with database(data) as ledger:
        [value] = ledger.execute(f"SELECT {column} FROM writers").fetchone()
        ledger.execute(f"UPDATE writers SET {column} = ?", (flipped(value),))
    assert damage in kinds(data)


def test_a_writer_removed_with_all_its_records_is_found_by_what_it_left_beside_its_key(data):
    with database(data) as ledger:
        for table in ("records", "details", "checkpoints", "writers"):
            ledger.execute(f"DELETE FROM {table}")
    assert kinds(data) == {Damage.TRUNCATED}


def test_a_record_appended_past_the_end_is_found(data):
    with database(data) as ledger:
        columns = [row[1] for row in ledger.execute("PRAGMA table_info(records)")]
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join({"seq": "61", "id": "zeroblob(16)"}.get(name, f'"{name}"') for name in columns)
        ledger.execute(f"INSERT INTO records ({names}) SELECT {values} FROM records WHERE seq = 3")
    assert Damage.INSERTED in kinds(data)


def test_a_record_erased_without_a_word_is_found(data):
    with database(data) as ledger:
        ledger.execute("UPDATE records SET salt = NULL, task = NULL, completion = NULL WHERE seq = 5")
        ledger.execute("DELETE FROM details WHERE seq = 5")
    [finding] = found(data)
    assert (finding.damage, finding.seq) == (Damage.ERASED_UNSAID, 5)


@pytest.mark.parametrize("kept", ["task", "completion", "detail"])
def test_a_record_erased_by_halves_is_found(data, kept):
    with database(data) as ledger:
        gone = ["salt", *({"task", "completion"} - {kept})]
        ledger.execute(f"UPDATE records SET {', '.join(f'{name} = NULL' for name in gone)} WHERE seq = 5")
        if kept != "detail":
            ledger.execute("DELETE FROM details WHERE seq = 5")
    assert (Damage.ERASURE_UNDONE, 5) in {(one.damage, one.seq) for one in found(data)}


def test_checkpoints_taken_away_hide_nothing(data):
    """A record was changed, and with it all that could tell, in the hope that what is unsigned is not looked at."""
    with database(data) as ledger:
        ledger.execute("DELETE FROM checkpoints WHERE size > 30")
        ledger.row_factory = sqlite3.Row
        ledger.execute("UPDATE records SET at_ms = at_ms + 90000 WHERE seq >= 50")
        for row in ledger.execute("SELECT * FROM records WHERE seq >= 50").fetchall():
            forge_leaf(ledger, row["seq"])
        frontier = Frontier()
        for row in ledger.execute("SELECT leaf FROM records ORDER BY seq"):
            frontier.append(row["leaf"])
        ledger.execute("UPDATE writers SET frontier = ?", (frontier.dump(),))
    shutil.rmtree(data / "writers")
    [finding] = found(data)
    assert (finding.damage, finding.seq) == (Damage.FORKED, 30)


WILD = (b"x", "x", -1, 7.5, 1 << 62, b"")


@pytest.mark.parametrize("value", WILD)
@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("writers", name) for name in ("id", "public_key", "name", "size", "frontier")),
        *(("checkpoints", name) for name in ("writer", "size", "root", "at_ms", "note")),
        *(("records", name) for name in ("writer", "seq", "outcome", "id", "about", "at_ms", "kind")),
    ],
)
def test_a_wild_value_anywhere_is_found_and_stops_nothing(data, table, column, value):
    if (table, column) == ("writers", "id") and type(value) is not int:
        return  # SQLite itself refuses it
    with database(data) as ledger:
        ledger.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid = (SELECT max(rowid) FROM {table})', (value,))
    assert found(data)


def test_a_record_moved_far_away_is_found_without_a_walk_through_the_gap(data):
    with database(data) as ledger:
        ledger.execute("UPDATE records SET seq = ? WHERE seq = 60", (1 << 50,))
        ledger.execute("UPDATE writers SET size = ?", (1 << 60,))
    source = DatabaseSource(Place(data))
    assert len(source.spans(source.writers()[0])) == 1
    assert kinds(data) >= {Damage.REMOVED, Damage.CHANGED, Damage.TRUNCATED}


def test_several_processes_find_in_several_pieces_what_one_finds_in_one(data, monkeypatch):
    with database(data) as ledger:
        ledger.execute("UPDATE records SET reward = 0.5 WHERE seq = 7")
        ledger.execute("DELETE FROM records WHERE seq = 41")
        ledger.execute("UPDATE bodies SET data = x'00' WHERE digest = (SELECT completion FROM records WHERE seq = 50)")
    alone = verified(data)
    monkeypatch.setattr("env_server.audit.verifying._WORTH_PROCESSES", 1)
    monkeypatch.setattr("env_server.audit.database_source.ROWS_A_SPAN", 16)
    source = DatabaseSource(Place(data))
    assert len(source.spans(source.writers()[0])) == 4
    assert verify(source, kept_beside(data), processes=2) == alone
    assert len(alone.findings) == 3
