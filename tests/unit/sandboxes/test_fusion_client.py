"""Our client of SandboxFusion's dialect: against our own server over real HTTP, and against what others may answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
from sandbox_servers import answering, closed_port, serving

from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.fusion.client import FusionSandbox
from sandboxes.fusion.shapes import EvalResult, SubmitRequest, TestConfig
from sandboxes.policy import find_policies
from sandboxes.types import Limits, Outcome, Program, SandboxResult

T = TypeVar("T")
MISSING = {name for name, policy in find_policies().items() if policy.missing}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as server:
        yield server.url


def using(urls: str | list[str], work: Callable[[FusionSandbox], Awaitable[T]], **settings: Any) -> T:
    async def do() -> T:
        sandbox = FusionSandbox([urls] if isinstance(urls, str) else urls, **settings)
        try:
            async with asyncio.timeout(60):
                return await work(sandbox)
        finally:
            await sandbox.close()

    return asyncio.run(do())


def run(url: str, source: str, stdin: bytes = b"", **fields: Any) -> SandboxResult:
    return using(url, lambda sandbox: sandbox.run(Program(source=source, **fields), stdin))


def test_a_program_runs_and_its_result_says_by_whom(url: str):
    result = run(url, "print(input() * 2)", "né".encode())
    assert (result.stdout, result.exit_code, result.backend) == ("néné\n".encode(), 0, "sandboxfusion")
    assert result.wall_s > 0


def test_the_servers_are_asked_whether_they_are_there(url: str):
    using(url, lambda sandbox: sandbox.start())
    using([f"http://127.0.0.1:{closed_port()}", url], lambda sandbox: sandbox.start())
    with pytest.raises(SandboxUnavailable, match="cannot be connected to"):
        using(f"http://127.0.0.1:{closed_port()}", lambda sandbox: sandbox.start())


def test_a_submission_runs_its_program_on_each_input(url: str):
    async def work(sandbox: FusionSandbox) -> list[bytes]:
        async with sandbox.open(Program(source="print(int(input()) + 1)")) as submission:
            return [(await submission.run(b"%d" % number)).stdout for number in range(3)]

    assert using(url, work) == [b"1\n", b"2\n", b"3\n"]


@pytest.mark.parametrize(
    ("source", "outcome", "exit_code", "signal"),
    [
        ("raise SystemExit(7)", Outcome.EXITED, 7, None),
        ("import os; os.kill(os.getpid(), 11)", Outcome.SIGNALLED, None, 11),
        ("import time; time.sleep(60)", Outcome.TIMED_OUT, None, None),
        ("print('x' * 3000)", Outcome.OUTPUT_LIMIT, None, None),
        ("x = b'x' * 10**9", Outcome.SIGNALLED, None, 9),  # the dialect has no word for memory
    ],
)
def test_how_a_program_ended_is_told_as_far_as_the_dialect_can(
    url: str, source: str, outcome: Outcome, exit_code: int | None, signal: int | None
):
    result = run(url, source, limits=Limits(wall_s=1, output_bytes=2000, memory_bytes=64 * 1024**2))
    assert (result.outcome, result.exit_code, result.signal) == (outcome, exit_code, signal)
    assert result.truncated == (outcome is Outcome.OUTPUT_LIMIT)
    assert len(result.stdout) <= 2000


def test_files_go_in_and_come_back(url: str):
    source = "data = open('in/a', 'rb').read(); open('b', 'wb').write(data[::-1])"
    result = run(url, source, files={"in/a": b"\x00\xff!"}, fetch=("b", "missing"))
    assert result.files == {"b": b"!\xff\x00"}


@pytest.mark.skipif("cpp" in MISSING, reason="there is no g++")
def test_a_program_that_does_not_compile_says_so(url: str):
    result = run(url, "int main() { return x; }", language="cpp")
    assert (result.stage, result.outcome) == ("compile", Outcome.EXITED)
    assert b"not declared" in result.stderr


def test_a_source_that_is_no_utf8_still_gets_a_result(url: str):
    assert run(url, "\ud800").outcome is Outcome.EXITED


def test_what_the_dialect_cannot_carry_is_a_fault_before_anything_is_sent(url: str):
    program = Program(source="")
    with pytest.raises(SandboxMisconfigured, match="UTF-8"):
        run(url, "", b"\xff")
    with pytest.raises(SandboxMisconfigured, match="link"):
        using(url, lambda sandbox: sandbox.run_linked(program, program))
    with pytest.raises(SandboxMisconfigured, match="klingon"):
        run(url, "", language="klingon")


@pytest.mark.skipif("go" not in MISSING, reason="every toolchain is installed")
def test_an_error_of_the_sandbox_is_a_fault_and_no_result(url: str):
    with pytest.raises(SandboxUnavailable, match="go is not"):
        run(url, "package main", language="go")


def test_a_submission_is_judged_there(url: str):
    test = [{"input": {"stdin": "2"}, "output": {"stdout": "4"}}]
    config = TestConfig(dataset_type="CommonOJDataset", language="python", provided_data={"id": 1, "test": test})

    async def work(sandbox: FusionSandbox) -> list[bool]:
        codes = ("print(2 * int(input()))", "print(5)")
        requests = [
            SubmitRequest(dataset="d", id=1, completion=f"```python\n{code}\n```", config=config) for code in codes
        ]
        return [(await sandbox.submit(request)).accepted for request in requests]

    assert using(url, work) == [True, False]


COMMAND = {"status": "Finished", "execution_time": 0.01, "return_code": 0, "stdout": "hi\n", "stderr": ""}
RESPONSE: dict[str, Any] = {
    "status": "Success", "message": "", "compile_result": None, "run_result": COMMAND, "executor_pod_name": None,
    "files": {},
}  # fmt: skip


def test_a_sound_answer_is_a_result_whatever_else_it_says():
    with answering(RESPONSE | {"new_field": 1}) as url:
        assert run(url, "").stdout == b"hi\n"


UNSOUND: dict[str, bytes | dict[str, Any]] = {
    "nothing": b"",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "a failure": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "no end": RESPONSE | {"run_result": None},
    "an unknown status": RESPONSE | {"status": "Fine"},
    "a success that failed": RESPONSE | {"run_result": COMMAND | {"return_code": 1}},
    "a failure that went well": RESPONSE | {"status": "Failed"},
    "no return code": RESPONSE | {"status": "Failed", "run_result": COMMAND | {"return_code": None}},
    "a command in error": RESPONSE | {"status": "Failed", "run_result": COMMAND | {"status": "Error"}},
    "an error of the sandbox": RESPONSE | {"status": "SandboxError", "message": "exception on running code"},
    "a file that is no base64": RESPONSE | {"files": {"a": "%"}},
}


@pytest.mark.parametrize("answer", UNSOUND.values(), ids=UNSOUND)
def test_an_unsound_answer_is_a_fault_to_be_tried_again(answer: bytes | dict[str, Any]):
    with answering(answer) as url, pytest.raises(SandboxFault) as fault:
        run(url, "")
    assert fault.value.retryable


def test_a_refusal_is_not_to_be_tried_again():
    with (
        answering(b"HTTP/1.1 422 x\r\nContent-Length: 0\r\n\r\n") as url,
        pytest.raises(SandboxMisconfigured, match="422"),
    ):
        run(url, "")


def test_a_gateway_that_gave_up_is_asked_again():
    with answering(b"HTTP/1.1 504 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", RESPONSE) as url:
        assert run(url, "").stdout == b"hi\n"


def test_a_program_that_floods_a_server_without_bounds_has_a_result():
    with answering(RESPONSE | {"files": {"big": "A" * 70_000_000}}) as url:
        assert run(url, "", fetch=("big",)).outcome is Outcome.OUTPUT_LIMIT


@pytest.mark.parametrize("tests", [[], [{"passed": False, "exec_info": RESPONSE}]])
def test_an_acceptance_without_passed_tests_is_not_believed(tests: list[Any]):
    result = {"id": 1, "accepted": True, "extracted_code": "", "tests": tests}
    request = SubmitRequest(dataset="d", id=1, completion="", config=TestConfig())

    async def work(sandbox: FusionSandbox) -> EvalResult:
        return await sandbox.submit(request)

    with answering(result) as url, pytest.raises(SandboxLost, match="without having passed"):
        using(url, work)
