"""No answer of a broken server, and none that a server has no right to give, becomes a result."""

import asyncio
from typing import Any

import pytest
from sandbox_servers import answering

from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.hosts import Host, in_turn
from sandboxes.remote import RemoteSandbox
from sandboxes.types import Limits, Program, SandboxResult

POLICIES: dict[str, Any] = {
    "backend": "namespaces:full",
    "languages": {"python": {"policy_digest": "sha256:1", "version": "Python", "missing": ""}},
    "overhead_s": 1.0,
}
RESULT: dict[str, Any] = {
    "outcome": "exited", "stage": "run", "exit_code": 0, "signal": None, "stdout": "aGkK", "stderr": "",
    "truncated": False, "files": {}, "wall_s": 0.1, "cpu_s": 0.1, "peak_memory_bytes": 1, "backend": "namespaces:full",
    "policy_digest": "sha256:1",
}  # fmt: skip


def run(answer: bytes | dict[str, Any] | None, **settings: Any) -> SandboxResult:
    async def work(url: str) -> SandboxResult:
        sandbox = RemoteSandbox([url], **settings)
        try:
            async with asyncio.timeout(30):
                await sandbox.start()
                return await sandbox.run(Program(source="", limits=Limits(output_bytes=100, wall_s=1)))
        finally:
            await sandbox.close()

    with answering(POLICIES, answer) as url:
        return asyncio.run(work(url))


def status(line: str, body: bytes = b"", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {line}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


def problem(code: str, number: int) -> bytes:
    body = f'{{"type": "urn:x", "title": "x", "status": {number}, "detail": "so it is", "code": "{code}"}}'
    return status(f"{number} x", body.encode())


def test_a_sound_answer_is_a_result():
    assert run(RESULT).stdout == b"hi\n"


UNSOUND: dict[str, bytes | dict[str, Any]] = {
    "nothing": b"",
    "no HTTP": b"220 mail.example.org ESMTP\r\n",
    "half an answer": b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"outcome"',
    "a page": status("200 OK", b"<html>sign in</html>"),
    "an empty object": {},
    "a list": status("200 OK", b"[]"),
    "an ending told twice": RESULT | {"signal": 9},
    "an ending not told": RESULT | {"exit_code": None},
    "an unknown outcome": RESULT | {"outcome": "fine"},
    "an unknown field": RESULT | {"verdict": 1},
    "a missing field": {name: value for name, value in RESULT.items() if name != "cpu_s"},
    "a number as text": RESULT | {"exit_code": "0"},
    "a truth value as number": RESULT | {"exit_code": False},
    "output that is no base64": RESULT | {"stdout": "%%%"},
    "more output than may be": RESULT | {"stdout": "QUFB" * 70},
    "far more output than may be": RESULT | {"stdout": "QUFB" * 1_000_000},
    "a file that was not asked for": RESULT | {"files": {"secret": ""}},
    "negative time": RESULT | {"cpu_s": -1.0},
    "a failure of its own": status("500 Internal Server Error", b"Traceback"),
    "a redirection": status("302 Found", headers="Location: http://127.0.0.1:1/v1/run\r\n"),
    "a failure of a proxy": status("502 Bad Gateway", b"<html>"),
}


@pytest.mark.parametrize("answer", UNSOUND.values(), ids=UNSOUND)
def test_an_unsound_answer_is_a_fault_to_be_tried_again(answer: bytes | dict[str, Any]):
    with pytest.raises(SandboxFault) as fault:
        run(answer)
    assert fault.value.retryable


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem("misconfigured", 503), SandboxMisconfigured),
        (problem("lost", 503), SandboxLost),
        (problem("lost", 404), SandboxLost),
        (problem("unavailable", 503), SandboxUnavailable),
        (problem("busy", 503), SandboxUnavailable),
        (problem("unauthorized", 401), SandboxMisconfigured),
        (problem("too_large", 413), SandboxMisconfigured),
        (problem("internal_error", 500), SandboxLost),
    ],
)
def test_a_problem_document_is_raised_as_what_it_was_on_the_server(answer: bytes, kind: type[SandboxFault]):
    with pytest.raises(SandboxFault, match="so it is") as fault:
        run(answer, patience_s=0.1)
    assert isinstance(fault.value, kind)


def test_a_server_that_never_answers_is_given_up():
    with pytest.raises(SandboxLost, match=r"within 2 s"):
        run(None)


def test_a_host_that_failed_lately_is_asked_last():
    async def work() -> list[list[str]]:
        hosts = [Host(f"http://{name}") for name in "abc"]
        hosts[1].rest()
        return [[host.url[-1] for host in in_turn(hosts, number)] for number in range(3)]

    assert asyncio.run(work()) == [["a", "c", "b"], ["c", "a", "b"], ["c", "a", "b"]]
