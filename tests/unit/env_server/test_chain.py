"""Every way to tamper with a chain, and what it is found as."""

from dataclasses import replace

import pytest

from env_server.ledger.chain import Head, Stored, draft, findings, link


@pytest.fixture
def rows() -> list[Stored]:
    made, head = [], Head()
    for n in range(1, 7):
        record = draft(
            {
                "id": f"r{n}",
                "at": "now",
                "task_id": "t",
                "rubric": "m.v1",
                "status": "scored",
                "reward": n / 8,
            }
        )
        digest = link(head.hash, record.body)
        made.append(Stored(n, record.columns, record.body, head.hash, digest))
        head = Head(n, digest)
    return made


def kinds(rows: list[Stored], head: Head, expected: bytes | None = None) -> list[str]:
    return [finding.kind for finding in findings(rows, head, expected)]


def end(rows: list[Stored]) -> Head:
    return Head(rows[-1].seq, rows[-1].hash)


def test_an_untouched_chain_has_nothing_wrong(rows):
    assert kinds(rows, end(rows)) == []
    assert kinds(rows, end(rows), rows[2].hash) == []
    assert kinds([], Head()) == []


def test_a_changed_body_is_found(rows):
    changed = replace(rows[2], body=rows[2].body.replace(b"0.375", b"1.0"))
    assert kinds([*rows[:2], changed, *rows[3:]], end(rows)) == ["changed"]


def test_a_changed_body_with_a_new_hash_breaks_the_link_after_it(rows):
    body = rows[2].body.replace(b"0.375", b"1.0")
    changed = replace(
        rows[2], body=body, hash=link(rows[2].prev_hash, body), columns={**rows[2].columns, "reward": 1.0}
    )
    assert kinds([*rows[:2], changed, *rows[3:]], end(rows)) == ["reordered"]


def test_a_changed_column_is_found_although_the_hash_holds(rows):
    changed = replace(rows[2], columns={**rows[2].columns, "reward": 1.0})
    assert kinds([*rows[:2], changed, *rows[3:]], end(rows)) == ["index_changed"]


def test_removed_records_are_found_and_counted(rows):
    assert kinds([*rows[:2], *rows[3:]], end(rows)) == ["removed"]
    assert kinds(rows[1:], end(rows)) == ["removed"]


def test_a_removed_record_whose_followers_were_renumbered_is_found(rows):
    renumbered = [replace(row, seq=row.seq - 1) for row in rows[3:]]
    assert "reordered" in kinds([*rows[:2], *renumbered], Head(5, rows[-1].hash))


def test_two_swapped_records_are_found(rows):
    swapped = [replace(rows[3], seq=3), replace(rows[2], seq=4)]
    assert kinds([*rows[:2], *swapped, *rows[4:]], end(rows)) == ["reordered"] * 3


def test_a_cut_tail_is_found(rows):
    assert kinds(rows[:4], end(rows)) == ["truncated"]


def test_a_cut_tail_with_a_rewritten_head_is_found_by_a_head_kept_elsewhere(rows):
    assert kinds(rows[:4], end(rows[:4]), rows[-1].hash) == ["other_history"]


def test_records_beyond_the_head_are_found(rows):
    assert kinds(rows, end(rows[:4])) == ["other_history"]
