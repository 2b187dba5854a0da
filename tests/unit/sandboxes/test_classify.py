"""Every kind of ending has one outcome, whatever else is true of it."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandboxes.classify import Ending, classify
from sandboxes.types import Outcome, SandboxResult

CPU_LIMIT_S = 1.0
CORE_DUMPED = 0x80


def exited(code: int) -> int:
    """The wait status of a process that exited with this code."""
    return code << 8


def killed(number: int) -> int:
    """The wait status of a process that a signal ended."""
    return number


SUCCESS = exited(0)


def ending(status=SUCCESS, stopped=None, out_of_memory=False, cpu_s=0.1) -> Ending:
    return Ending(status, stopped, out_of_memory, cpu_s)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ending(), (Outcome.EXITED, 0, None)),
        (ending(exited(3)), (Outcome.EXITED, 3, None)),
        (ending(exited(137)), (Outcome.EXITED, 137, None)),
        (ending(killed(signal.SIGSEGV)), (Outcome.SIGNALLED, None, 11)),
        (ending(killed(signal.SIGABRT) | CORE_DUMPED), (Outcome.SIGNALLED, None, 6)),
        (ending(killed(signal.SIGKILL)), (Outcome.SIGNALLED, None, 9)),
        (ending(None), (Outcome.SIGNALLED, None, 9)),
        (ending(killed(signal.SIGKILL), "wall"), (Outcome.TIMED_OUT, None, None)),
        (ending(exited(0), "wall"), (Outcome.TIMED_OUT, None, None)),
        (ending(None, "wall"), (Outcome.TIMED_OUT, None, None)),
        (ending(killed(signal.SIGKILL), "cpu"), (Outcome.CPU_LIMIT, None, None)),
        (ending(killed(signal.SIGXCPU)), (Outcome.CPU_LIMIT, None, None)),
        (ending(exited(0), cpu_s=1.01), (Outcome.CPU_LIMIT, None, None)),
        (ending(exited(0), cpu_s=1.0), (Outcome.EXITED, 0, None)),
        (ending(killed(signal.SIGKILL), "wall", cpu_s=2.0), (Outcome.CPU_LIMIT, None, None)),
        (ending(killed(signal.SIGKILL), "output"), (Outcome.OUTPUT_LIMIT, None, None)),
        (ending(exited(0), "output", cpu_s=2.0), (Outcome.OUTPUT_LIMIT, None, None)),
        (ending(killed(signal.SIGKILL), out_of_memory=True), (Outcome.OUT_OF_MEMORY, None, None)),
        (ending(exited(0), out_of_memory=True), (Outcome.OUT_OF_MEMORY, None, None)),
        (ending(killed(signal.SIGKILL), "wall", out_of_memory=True), (Outcome.OUT_OF_MEMORY, None, None)),
        (ending(killed(signal.SIGKILL), "output", out_of_memory=True), (Outcome.OUT_OF_MEMORY, None, None)),
        (ending(None, out_of_memory=True), (Outcome.OUT_OF_MEMORY, None, None)),
        (ending(exited(86)), (Outcome.OUT_OF_MEMORY, None, None)),
        (ending(exited(86), "wall"), (Outcome.TIMED_OUT, None, None)),
        (ending(exited(86), cpu_s=2.0), (Outcome.CPU_LIMIT, None, None)),
        (ending(killed(signal.SIGKILL), "judge"), (Outcome.SIGNALLED, None, 9)),
        (ending(exited(0), "judge"), (Outcome.EXITED, 0, None)),
        (ending(None, "left"), (Outcome.SIGNALLED, None, 9)),
    ],
)
def test_an_ending_has_the_outcome_of_its_cause(facts: Ending, expected: tuple[Outcome, int | None, int | None]):
    assert classify(facts, CPU_LIMIT_S, out_of_memory_exits=(86,)) == expected


def test_an_exit_code_means_no_memory_only_where_the_language_says_so():
    assert classify(ending(exited(86)), CPU_LIMIT_S) == (Outcome.EXITED, 86, None)


@given(
    status=st.none() | st.integers(0, 255).map(exited) | st.integers(1, 64).map(killed),
    stopped=st.sampled_from([None, "wall", "cpu", "output", "judge", "left"]),
    out_of_memory=st.booleans(),
    cpu_s=st.floats(0, 10),
)
def test_every_ending_makes_a_result_that_the_wire_accepts(status, stopped, out_of_memory, cpu_s):
    outcome, code, number = classify(Ending(status, stopped, out_of_memory, cpu_s), CPU_LIMIT_S, (86,))
    SandboxResult(
        outcome=outcome, exit_code=code, signal=number, wall_s=0, cpu_s=cpu_s, peak_memory_bytes=0,
        backend="test", policy_digest="test",
    )  # fmt: skip
