"""What the engine records of what it answers, on both databases."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest
from raw_items import raw_item

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.envelope import _run as read_run
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.schemas import Run
from rewarders.digests import digest
from rewarders.errors import RequestError


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    where = {"data_dir": tmp_path / "data"}
    return where if request.param == "sqlite" else {**where, "url": request.getfixturevalue("postgres").make_database()}


def place_of(ledger: dict) -> Place:
    return Place(ledger["data_dir"], ledger.get("url"))


def score(odd_service, ledger, *items, run: Run | None = None) -> list[dict]:
    async def scored() -> bytes:
        async with odd_service(ledger=ledger) as service:
            return await service.engine.score(items, run)

    return json.loads(asyncio.run(scored()))["items"]


def test_a_record_says_what_was_answered_and_why(odd_service, ledger):
    raw = {**raw_item("x" * 50), "group": "g", "sample": 2}
    (answer,) = score(odd_service, ledger, raw, run=Run(id="r", step=7))
    with closing(LedgerReader(place_of(ledger))) as reader:
        record = reader.record(answer["record_id"])
    assert record is not None
    named = ("run", "step", "group", "sample", "task_id", "rubric", "status", "reward")
    assert [record[name] for name in named] == ["r", 7, "g", 2, raw["task"]["id"], "length.v1", "scored", 0.5]
    breakdown = record["breakdown"]
    assert breakdown["components"] == answer["components"]
    for name in ("completion_digest", "rubric_digest", "rubric", "task_id", "reward"):
        assert breakdown[name] == answer[name]
    assert record["completion"]["text"] == "x" * 50
    assert record["task_digest"] == digest(record["task"])
    (part,) = record["instrument"]
    assert (part["rewarder"], "code_digest" in part) == ("odd.length", True)
    assert record["service"].startswith("assay ")
    assert verify(DatabaseSource(place_of(ledger)), processes=1).findings == ()


def test_nul_in_a_text_is_recorded_as_any_other_character(odd_service, ledger):
    (answer,) = score(odd_service, ledger, raw_item("a\0b"))
    with closing(LedgerReader(place_of(ledger))) as reader:
        record = reader.record(answer["record_id"])
    assert record is not None
    assert record["completion"]["text"] == "a\0b"


@pytest.mark.parametrize("where", ["group", "task"])
def test_nul_in_a_name_makes_its_item_invalid_and_spoils_no_neighbour(odd_service, ledger, where: str):
    bad = raw_item("x")
    bad = {**bad, "group": "a\0b"} if where == "group" else {**bad, "task": {**bad["task"], "id": "a\0b"}}
    first, second, third = score(odd_service, ledger, raw_item("x"), bad, raw_item("x"))
    assert [first["status"], second["status"], third["status"]] == ["scored", "invalid", "scored"]
    assert second["problem"]["field"] == ("group" if where == "group" else "task.id")


def test_nul_in_the_name_of_a_run_is_refused_with_the_field():
    with pytest.raises(RequestError) as refused:
        read_run({"id": "a\0b"})
    assert (refused.value.status, refused.value.field) == (422, "run.id")


def test_fields_that_were_left_out_are_left_out_of_the_record(odd_service, ledger):
    (answer,) = score(odd_service, ledger, raw_item("x"))
    with closing(LedgerReader(place_of(ledger))) as reader:
        record = reader.record(answer["record_id"])
    assert record is not None
    assert (record["run"], record["step"], record["group"], record["tenant"]) == (None, None, None, None)
    assert "messages" not in record["completion"]
