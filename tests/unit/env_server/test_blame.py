"""Who is to blame: the table."""

import signal

import pytest

from env_server.blame import MAX_ATTEMPTS, OUT_OF_MEMORY, Ending, blame
from rewarders import Fault, Verdict


@pytest.mark.parametrize(
    ("ending", "becomes"),
    [
        (Ending(1, signal=signal.SIGPROF), "too_costly"),
        (Ending(1, signal=signal.SIGXCPU), "too_costly"),
        (Ending(1, exit_code=OUT_OF_MEMORY), "again"),
        (Ending(2, exit_code=OUT_OF_MEMORY), "too_costly"),
        (Ending(1, signal=signal.SIGSEGV), "again"),
        (Ending(2, signal=signal.SIGSEGV), "crashed"),
        (Ending(2, signal=signal.SIGABRT), "crashed"),
        (Ending(1, signal=signal.SIGKILL), "again"),
        (Ending(MAX_ATTEMPTS, signal=signal.SIGKILL), "fault"),
        (Ending(1, exit_code=7), "again"),
        (Ending(MAX_ATTEMPTS, exit_code=7), "fault"),
        (Ending(1), "again"),
        (Ending(1, signal=signal.SIGKILL, overdue=True), "fault"),
    ],
)
def test_an_ending_is_judged_as_the_table_says(ending: Ending, becomes: str):
    outcome = blame(ending, "acme.x")
    match outcome:
        case Verdict():
            assert (outcome.score, outcome.reason) == (0.0, becomes)
        case Fault():
            assert becomes == "fault"
            assert outcome.retryable
            assert "acme.x" in outcome.message
        case None:
            assert becomes == "again"
