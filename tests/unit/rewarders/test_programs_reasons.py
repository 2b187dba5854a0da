from typing import Any

import pytest

from rewarders.errors import RewarderFault
from rewarders.programs.reasons import Reason, ending
from rewarders.programs.split import JudgeVerdict, reasons_of
from sandboxes.types import Outcome, SandboxResult

ENDED: dict[str, Any] = {
    "wall_s": 0.0,
    "cpu_s": 0.0,
    "peak_memory_bytes": 0,
    "backend": "test",
    "policy_digest": "test",
}


def result(outcome: str, **fields: Any) -> SandboxResult:
    return SandboxResult(outcome=Outcome(outcome), **ENDED, **fields)


WELL = result("exited", exit_code=0)


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (WELL, None),
        (result("exited", exit_code=0, truncated=True), "output_limit"),
        (result("exited", exit_code=1), "exited"),
        (result("exited", exit_code=1, stage="compile"), "compile_error"),
        (result("timed_out", stage="compile"), "compile_error"),
        (result("signalled", signal=11), "crashed"),
        (result("timed_out"), "timed_out"),
        (result("cpu_limit"), "cpu_limit"),
        (result("out_of_memory"), "out_of_memory"),
        (result("output_limit"), "output_limit"),
    ],
)
def test_every_ending_but_a_good_one_has_a_reason(ended: SandboxResult, reason: str | None):
    assert ending(ended) == reason


def test_every_outcome_of_a_sandbox_is_provided_for():
    endings = {"exited": {"exit_code": 1}, "signalled": {"signal": 9}}
    assert all(ending(result(outcome, **endings.get(outcome, {}))) in Reason for outcome in Outcome)


PASSED, FAILED = {"outcome": "passed"}, {"outcome": "failed", "raised": "AssertionError"}


@pytest.mark.parametrize(
    ("verdict", "ran", "reasons"),
    [
        ({"tests": [PASSED, FAILED], "asked": 1}, WELL, ["passed", "wrong_answer"]),
        ({"tests": [{"outcome": "failed", "raised": "KeyError"}], "asked": 1}, WELL, ["raised"]),
        ({"tests": [{"outcome": "failed"}], "asked": 1, "found": False}, WELL, ["no_entry_point"]),
        ({"tests": [{"outcome": "not_collected", "raised": "ImportError"}]}, WELL, ["no_entry_point"]),
        ({"tests": [{"outcome": "skipped"}, {"outcome": "not_run"}], "asked": 1}, WELL, ["not_run", "not_run"]),
        ({"tests": [FAILED], "gone": "closed"}, WELL, ["wrong_answer"]),
        ({"tests": [{"outcome": "failed"}], "gone": "closed"}, WELL, ["no_reply"]),
        ({"tests": [{"outcome": "failed"}], "gone": "closed"}, result("cpu_limit"), ["cpu_limit"]),
        ({"tests": [{"outcome": "failed"}], "gone": "closed"}, result("signalled", signal=11), ["crashed"]),
        ({"tests": [{"outcome": "failed"}], "gone": "silent"}, result("signalled", signal=9), ["timed_out"]),
        ({"tests": [{"outcome": "failed"}], "gone": "garbled"}, result("exited", exit_code=1), ["no_reply"]),
        ({"tests": [], "load_raised": "SyntaxError"}, WELL, ["compile_error"]),
        ({"tests": [], "load_raised": "CandidateLeft", "gone": "silent"}, WELL, ["timed_out"]),
        ({"tests": [], "load_raised": "KeyError", "uncrossable": "x"}, WELL, ["raised"]),
    ],
)
def test_what_the_tests_side_saw_comes_to_a_reason_each(
    verdict: dict[str, Any], ran: SandboxResult, reasons: list[str]
):
    assert [reason for reason, _ in reasons_of(JudgeVerdict.model_validate(verdict), ran, 0)] == reasons


@pytest.mark.parametrize(
    "verdict",
    [
        {"tests": []},
        {"tests": [PASSED], "asked": 0},
        {"tests": [FAILED], "asked": 1, "uncrossable": "the tests give a function"},
        {"tests": [FAILED], "asked": 1, "broken": "a test file cannot be imported"},
    ],
)
def test_tests_that_say_nothing_are_a_fault(verdict: dict[str, Any]):
    with pytest.raises(RewarderFault):
        reasons_of(JudgeVerdict.model_validate(verdict), WELL, 0)


def test_tests_that_are_written_and_not_there_when_they_are_run_were_hidden_by_the_candidate():
    verdict = JudgeVerdict.model_validate({"tests": []})
    assert reasons_of(verdict, WELL, 1) == [(Reason.NO_ENTRY_POINT, None)]
