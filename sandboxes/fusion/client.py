"""The promise of a sandbox, as far as a SandboxFusion server keeps it.

It has no CPU limit, no word for the ends by memory or output, no linked programs, and no isolation unless it is set up
with some; its output is text, silently cut at about 219 KB, and what does not decode becomes a message. None of that
can be seen from here. Use it where it runs already; `python -m sandboxes serve` is what we would rather run.
"""

import base64
import binascii
import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.fusion.shapes import (
    LANGUAGES,
    CommandRunResult,
    CommandStatus,
    EvalResult,
    RunCodeRequest,
    RunCodeResponse,
    RunStatus,
    SubmitRequest,
)
from sandboxes.hosts import Answer, Host, TooLong, first_willing, in_turn
from sandboxes.types import MIB, Outcome, Program, SandboxResult, Submission
from sandboxes.wire import Busy

M = TypeVar("M", bound=BaseModel)
_THEIRS = {ours: theirs for theirs, ours in LANGUAGES.items()}
_COMPILE_S = 60.0
_SLACK_S = 30.0
_PING_S = 30.0
_SUBMIT_S = 3600.0
_SUBMIT_BYTES = 256 * MIB
_LEAST_ANSWER_BYTES = 64 * MIB


class FusionSandbox:
    """Runs programs on SandboxFusion servers, each run on the next one."""

    backend = "sandboxfusion"

    def __init__(
        self, urls: Sequence[str], *, token: str = "", most_at_once: int = 64, patience_s: float = 120.0
    ) -> None:  # fmt: skip
        """Nothing is asked yet.

        Args:
            urls: of the servers, without `/run_code`.
            token: shown as a bearer token where a proxy before them wants one.
            most_at_once: requests under way at once to one server.
            patience_s: how long to come back to servers that all have too much to do.

        Raises:
            SandboxMisconfigured: there is no URL, or one is none.
        """
        if not urls:
            raise SandboxMisconfigured("no address of a SandboxFusion server is given")
        self._hosts = [Host(url, token=token, most_at_once=most_at_once) for url in urls]
        self._patience_s = patience_s
        self._count = itertools.count()

    def policy_digest(self, language: str) -> str:
        """A digest of the two names: the dialect tells nothing of toolchains. Raises SandboxMisconfigured."""
        return "sha256:" + hashlib.sha256(f"{self.backend} {_their_name(language)}".encode()).hexdigest()

    async def start(self) -> None:
        """See whether one of the servers is there. Raises SandboxUnavailable."""
        failed: SandboxFault | None = None
        for host in self._hosts:
            try:
                if (await host.ask("GET", "/v1/ping", within_s=_PING_S)).content.strip() == b'"pong"':
                    return
                failed = host.unreadable("no pong")
            except (SandboxUnavailable, SandboxLost) as fault:
                failed = fault
        raise SandboxUnavailable(f"no SandboxFusion server can be reached: {failed}")

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        """One `/run_code`. Raises SandboxFault."""
        request, limits = _request(program, stdin), program.limits
        body = request.model_dump_json().encode()
        within_s = limits.wall_s + _COMPILE_S + _SLACK_S
        # A byte of output may become six characters of JSON, and a server may send more than we would.
        most_bytes = max(_LEAST_ANSWER_BYTES, 12 * limits.output_bytes)
        digest = self.policy_digest(program.language)

        async def ask(host: Host) -> SandboxResult:
            answer = await host.ask("POST", "/run_code", body, within_s=within_s, most_bytes=most_bytes)
            return _result(host, _read(host, answer, RunCodeResponse), program, digest)

        try:
            return await first_willing(self._in_turn, ask, self._patience_s)
        except TooLong:  # these servers bound neither output nor files: it is the program that wrote so much
            return _overflowed(digest)

    @asynccontextmanager
    async def open(self, program: Program) -> AsyncIterator[Submission]:
        """Remember the program; each run sends it again. Raises SandboxMisconfigured."""
        _their_name(program.language)
        yield _RememberedProgram(self, program)

    async def run_linked(self, judge: Program, candidate: Program) -> tuple[SandboxResult, SandboxResult]:
        """Not in this dialect. Raises SandboxMisconfigured."""
        raise SandboxMisconfigured(
            "SandboxFusion cannot link two programs, as these tests need; use python -m sandboxes serve instead"
        )

    async def submit(self, request: SubmitRequest) -> EvalResult:
        """One `/submit`: the server extracts, runs and compares, by its own rules. Raises SandboxFault."""
        body = request.model_dump_json(exclude_none=True).encode()

        async def ask(host: Host) -> EvalResult:
            answer = await host.ask("POST", "/submit", body, within_s=_SUBMIT_S, most_bytes=_SUBMIT_BYTES)
            result = _read(host, answer, EvalResult)
            if result.accepted and not (result.tests and all(test.passed for test in result.tests)):
                raise host.unreadable("accepted without having passed every test")
            return result

        return await first_willing(self._in_turn, ask, self._patience_s)

    async def close(self) -> None:
        """Close the connections."""
        for host in self._hosts:
            await host.close()

    async def _in_turn(self) -> list[Host]:
        return in_turn(self._hosts, next(self._count))


@dataclass(frozen=True)
class _RememberedProgram:
    sandbox: FusionSandbox
    program: Program

    async def run(self, stdin: bytes = b"") -> SandboxResult:
        """Run it once. Raises SandboxFault."""
        return await self.sandbox.run(self.program, stdin)


def _their_name(language: str) -> str:
    if language not in _THEIRS:
        raise SandboxMisconfigured(f"SandboxFusion has no language {language[:40]!r}; it has {', '.join(_THEIRS)}")
    return _THEIRS[language]


def _request(program: Program, stdin: bytes) -> RunCodeRequest:
    """The program as they want it: text in UTF-8. Raises SandboxMisconfigured when the input is none.

    Where the source is none, what stands for it will not work either; a completion must not become a fault by it.
    """
    try:
        text = stdin.decode()
    except UnicodeDecodeError:
        raise SandboxMisconfigured("the input is not UTF-8, and SandboxFusion carries nothing else") from None
    return RunCodeRequest(
        code=program.source.encode("utf-8", "replace").decode(),
        language=_their_name(program.language),
        compile_timeout=_COMPILE_S,
        run_timeout=program.limits.wall_s,
        memory_limit_MB=-(-program.limits.memory_bytes // MIB),
        stdin=text,
        files={path: base64.b64encode(data).decode() for path, data in program.files.items()},
        fetch_files=list(program.fetch),
    )


def _read(host: Host, answer: Answer, model: type[M]) -> M:
    if answer.status in (429, 502, 503, 504):
        raise Busy(f"{host.url} answered {answer.status}")
    if 400 <= answer.status < 500:
        raise SandboxMisconfigured(f"{host.url} refuses the request with status {answer.status}")
    if answer.status != 200:
        raise SandboxUnavailable(f"{host.url} answered {answer.status}")
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise host.unreadable(f"no {model.__name__} ({error.error_count()} errors)") from None


def _result(host: Host, response: RunCodeResponse, program: Program, digest: str) -> SandboxResult:
    """Their response as a result. Raises SandboxFault when it says nothing about the program."""
    if response.status is RunStatus.SANDBOX_ERROR:
        raise SandboxUnavailable(f"{host.url}: {response.message[:500]}")
    compiling = response.compile_result is not None and not _clean(response.compile_result)
    command = response.compile_result if compiling else response.run_result
    if command is None or command.status is CommandStatus.ERROR:
        raise host.unreadable("a response without the end of a program")
    if _clean(command) != (response.status is RunStatus.SUCCESS):
        raise host.unreadable("a status that contradicts the program's end")
    streams = [(text or "").encode() for text in (command.stdout, command.stderr)]
    overflow = sum(map(len, streams)) > program.limits.output_bytes
    stdout, stderr = (stream[: program.limits.output_bytes] for stream in streams)
    outcome, code, signal = (Outcome.OUTPUT_LIMIT, None, None) if overflow else _ending(host, command)
    return SandboxResult(
        outcome=outcome, exit_code=code, signal=signal, stage="compile" if compiling else "run",
        stdout=stdout, stderr=stderr, truncated=overflow, files=_files(host, response),
        wall_s=max(0.0, command.execution_time or 0.0), cpu_s=0.0, peak_memory_bytes=0,  # the last two are not told
        backend=FusionSandbox.backend, policy_digest=digest,
    )  # fmt: skip


def _overflowed(digest: str) -> SandboxResult:
    return SandboxResult(
        outcome=Outcome.OUTPUT_LIMIT, truncated=True, wall_s=0.0, cpu_s=0.0, peak_memory_bytes=0,
        backend=FusionSandbox.backend, policy_digest=digest,
    )  # fmt: skip


def _ending(host: Host, command: CommandRunResult) -> tuple[Outcome, int | None, int | None]:
    """Outcome, exit code, signal."""
    if command.status is CommandStatus.TIME_LIMIT_EXCEEDED:
        return Outcome.TIMED_OUT, None, None
    if command.return_code is None:
        raise host.unreadable("a program that finished without a return code")
    if command.return_code < 0:
        return Outcome.SIGNALLED, None, -command.return_code
    return Outcome.EXITED, command.return_code, None


def _clean(command: CommandRunResult) -> bool:
    return command.status is CommandStatus.FINISHED and command.return_code == 0


def _files(host: Host, response: RunCodeResponse) -> dict[str, bytes]:
    try:
        return {path: base64.b64decode(text, validate=True) for path, text in response.files.items()}
    except (binascii.Error, ValueError):
        raise host.unreadable("a file that is not base64") from None
