"""The engine with real workers and a real ledger: every odd rewarder, and what becomes of it."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from raw_items import raw_item

from env_server.schemas import ScoreResponse
from rewarders.errors import ConfigError, LedgerError, Overloaded, PluginError


def score_all(opened, *items, **sections) -> ScoreResponse:
    async def run() -> bytes:
        async with opened(**sections) as service:
            return await service.engine.score(items)

    return ScoreResponse.model_validate_json(asyncio.run(run()))


def test_problems_name_items_by_their_place_in_the_request_they_are_a_part_of(odd_service):
    async def run() -> bytes:
        async with odd_service() as service:
            items = [raw_item("a", "obeys.v1"), {"no": "item"}, raw_item("b", "no.such.v1")]
            return await service.engine.score(items, places=[2, 5, 9])

    answer = ScoreResponse.model_validate_json(asyncio.run(run()))
    assert [problem.item for problem in answer.problems] == [5, 9]
    assert [item.problem and item.problem.item for item in answer.items] == [None, 5, 9]


@pytest.mark.parametrize(
    ("says", "reward", "reason"),
    [
        ("anything", 1.0, "done"),
        ("print", 1.0, "done"),
        ("burn", 0.0, "too_costly"),
        ("burn in C", 0.0, "too_costly"),
        ("hog", 0.0, "too_costly"),
        ("recurse", 0.0, "too_costly"),
        ("segfault", 0.0, "crashed"),
    ],
)
def test_what_a_completion_can_cause_is_a_verdict(odd_service, says: str, reward: float, reason: str):
    (item,) = score_all(odd_service, raw_item(says, "obeys.v1")).items
    verdict = item.components[0].verdict
    assert (item.reward, verdict and verdict.reason) == (reward, reason)


@pytest.mark.parametrize(
    ("says", "message", "attempt"),
    [
        ("raise", "odd.obeys raised ValueError at odd_rewarders.py:", 1),
        ("none", "odd.obeys returned NoneType instead of a Verdict", 1),
        ("exit", "the worker running odd.obeys ended by exit code 7, 3 times", 3),
        ("killed", "the worker running odd.obeys ended by signal 9, 3 times", 3),
        ("sleep", "odd.obeys did not answer before its wall-clock deadline, with CPU budget left", 1),
    ],
)
def test_what_only_we_can_cause_is_a_fault_and_never_a_zero(odd_service, says: str, message: str, attempt: int):
    (item,) = score_all(odd_service, raw_item(says, "obeys.v1"), workers={"call_timeout_s": 1.0}).items
    assert (item.reward, item.status) == (None, "unscored")
    assert item.fault is not None
    assert item.fault.message.startswith(message)
    assert item.fault.attempt == attempt


def test_what_a_rewarder_keeps_in_memory_never_costs_a_later_completion(odd_service):
    items = [raw_item("x" * n, "hoards.v1") for n in range(1, 13)]
    answers = score_all(odd_service, *items, workers={"memory_bytes": 1024**3}).items
    assert [answer.reward for answer in answers] == [1.0] * 12


def test_an_exception_that_quotes_the_reference_tells_nobody(odd_service):
    (item,) = score_all(odd_service, raw_item("x", "leaks.v1", {"answer": "SECRET-42"})).items
    assert item.fault is not None
    assert item.fault.message.startswith("odd.leaks raised ValueError at odd_rewarders.py:")


def test_a_validator_that_raises_spoils_its_own_item_alone(odd_service):
    bad = raw_item("x", "leaks.v1", {"answer": "raise"})
    first, second, third = score_all(odd_service, raw_item("x"), bad, raw_item("x")).items
    assert (first.reward, second.status, third.reward) == (0.01, "invalid", 0.01)
    assert second.problem is not None
    assert "SECRET" not in second.problem.detail


def test_a_wall_clock_shorter_than_a_cpu_budget_stops_the_start(odd_service):
    with pytest.raises(ConfigError, match=r"call_timeout_s is 0\.4, and odd\..* may take 0\.5 s"):
        score_all(odd_service, workers={"call_timeout_s": 0.4})


def test_neighbours_of_a_killed_job_keep_their_own_verdicts(odd_service):
    texts = ["x" * n for n in range(1, 60)]
    items = [raw_item(text) for text in texts]
    mixed = [
        *items[:20],
        raw_item("burn", "obeys.v1"),
        *items[20:40],
        raw_item("segfault", "obeys.v1"),
        *items[40:],
    ]
    answers = score_all(odd_service, *mixed).items
    rewards = [answer.reward for answer in answers]
    assert rewards == [*[n / 100 for n in range(1, 21)], 0.0, *[n / 100 for n in range(21, 41)], 0.0,
                       *[n / 100 for n in range(41, 60)]]  # fmt: skip


def test_the_deadline_does_not_count_time_in_the_queue(odd_service):
    slow = [raw_item("burn", "obeys.v1") for _ in range(12)]
    sections = {"workers": {"processes": 1, "call_timeout_s": 3.0}, "cache": {"max_bytes": 0}}
    answers = score_all(odd_service, *slow, **sections).items
    assert [answer.components[0].verdict.reason for answer in answers] == ["too_costly"] * 12


def test_too_many_jobs_are_refused_whole_and_leave_no_record(odd_service, tmp_path: Path):
    with pytest.raises(Overloaded):
        score_all(
            odd_service,
            *[raw_item("x" * n) for n in range(1, 12)],
            workers={"max_waiting_jobs": 10},
            server={"max_completions_per_request": 5},
        )
    with sqlite3.connect(tmp_path / "data" / "ledger.sqlite3") as ledger:
        assert ledger.execute("select count(*) from records").fetchone() == (0,)


def test_too_many_records_are_refused_whole(odd_service):
    sections = {"ledger": {"max_waiting_records": 10}, "server": {"max_completions_per_request": 5}}
    with pytest.raises(Overloaded):
        score_all(odd_service, *[raw_item("x")] * 11, **sections)


def test_without_a_ledger_nothing_is_recorded_and_no_id_is_claimed(odd_service, tmp_path: Path):
    (item,) = score_all(odd_service, raw_item("x" * 50), ledger={"enabled": False}).items
    assert (item.reward, item.record_id) == (0.5, None)
    assert not (tmp_path / "data").exists()


def test_a_ledger_that_cannot_be_written_fails_closed_and_recovers(odd_service, tmp_path: Path):
    async def run() -> tuple[bytes, bytes]:
        async with odd_service() as service:
            before = await service.engine.score([raw_item("x")])
            with sqlite3.connect(tmp_path / "data" / "ledger.sqlite3") as ledger:
                ledger.execute("alter table records rename to hidden")
            with pytest.raises(LedgerError, match="could not be written"):
                await service.engine.score([raw_item("x")])
            with sqlite3.connect(tmp_path / "data" / "ledger.sqlite3") as ledger:
                ledger.execute("alter table hidden rename to records")
            return before, await service.engine.score([raw_item("x")])

    before, after = asyncio.run(run())
    assert json.loads(before)["items"][0]["reward"] == json.loads(after)["items"][0]["reward"]


def test_a_rubric_of_a_rewarder_that_is_not_loaded_stops_the_start(odd_service):
    with pytest.raises(ConfigError, match=r"rubric x\.v1: no rewarder 'acme\.none' is loaded"):
        score_all(odd_service, rubrics={"x.v1": {"parts": [{"rewarder": "acme.none"}]}})


def test_wrong_params_stop_the_start(odd_service):
    with pytest.raises(ConfigError, match=r"rubric x\.v1: params of odd\.length: speed"):
        score_all(odd_service, rubrics={"x.v1": {"parts": [{"rewarder": "odd.length", "params": {"speed": 1}}]}})


def test_a_built_in_rubric_cannot_be_redefined(odd_service):
    with pytest.raises(ConfigError, match=r"'math\.v1' is built in"):
        score_all(odd_service, rubrics={"math.v1": {"parts": [{"rewarder": "odd.length"}]}})


def test_a_module_that_loads_here_and_not_in_the_workers_stops_the_start(odd_service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PYTHONPATH")
    with pytest.raises(PluginError, match="ModuleNotFoundError"):
        score_all(odd_service, raw_item("x"))
