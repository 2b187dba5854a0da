"""`/run_code`: from their request to a program of ours, and from our result to their response. Pure."""

import base64
import binascii
import posixpath
import signal

from pydantic import TypeAdapter, ValidationError

from sandboxes.errors import SandboxFault, SandboxMisconfigured
from sandboxes.fusion.shapes import (
    FOREIGN_LANGUAGES,
    LANGUAGES,
    CommandRunResult,
    CommandStatus,
    RunCodeRequest,
    RunCodeResponse,
    RunStatus,
)
from sandboxes.service.problems import Refusal
from sandboxes.types import MIB, Limits, Outcome, Program, RelativePath, SandboxResult

_LEAST_MEMORY_BYTES = 16 * MIB
_PATHS: TypeAdapter[str] = TypeAdapter(RelativePath)
_ENDED_BY = {Outcome.OUT_OF_MEMORY: signal.SIGKILL, Outcome.OUTPUT_LIMIT: signal.SIGXFSZ}
"""The dialect has no word for these ends; a return code of the signal that the kernel would have sent says `Failed`."""
_SAID = {Outcome.OUT_OF_MEMORY: "out of memory", Outcome.OUTPUT_LIMIT: "more output than is allowed"}


def language_of(name: str) -> str:
    """Our name of one of their languages.

    Raises:
        Refusal: they have no such language either.
        SandboxMisconfigured: they have it and we do not.
    """
    if name in LANGUAGES:
        return LANGUAGES[name]
    known = ", ".join(LANGUAGES)
    if name in FOREIGN_LANGUAGES:
        raise SandboxMisconfigured(f"this sandbox does not run the language {name}; it knows {known}")
    raise Refusal(422, "invalid", f"language: there is no such language; known are {known}", field="language")


def program_of(request: RunCodeRequest, most: Limits) -> Program:
    """The program that is asked for, with what it asks for lowered to `most`.

    Raises:
        Refusal: a path or a content cannot be taken.
        SandboxMisconfigured: the language is not known here.
    """
    language = language_of(request.language)
    limits = limits_of(request.run_timeout, request.memory_limit_MB, most)
    files = {_path(path, "files"): _content(text) for path, text in request.files.items() if text is not None}
    fetch = tuple(_path(path, "fetch_files") for path in request.fetch_files)
    return Program(language=language, source=request.code, files=files, fetch=fetch, limits=limits)


def limits_of(run_timeout_s: float, memory_mib: int, most: Limits) -> Limits:
    """Limits from their two numbers. Theirs know no CPU time; a program gets as much of it as of the other."""
    wanted = memory_mib * MIB if memory_mib > 0 else Limits().memory_bytes
    return Limits(
        wall_s=min(run_timeout_s, most.wall_s),
        cpu_s=min(run_timeout_s, most.cpu_s),
        memory_bytes=min(max(wanted, _LEAST_MEMORY_BYTES), most.memory_bytes),
    )


def response_of(result: SandboxResult, request: RunCodeRequest, *, compiled: bool) -> RunCodeResponse:
    """The response to a result. `compiled`: the language has a compiler."""
    command = command_of(result)
    clean = command.status is CommandStatus.FINISHED and command.return_code == 0
    status = RunStatus.SUCCESS if clean else RunStatus.FAILED
    if result.stage == "compile":
        return RunCodeResponse(status=RunStatus.FAILED, message="", compile_result=command)
    well = CommandRunResult(status=CommandStatus.FINISHED, return_code=0, stdout="", stderr="") if compiled else None
    asked = {_path(path, "fetch_files"): path for path in request.fetch_files}
    files = {asked.get(path, path): base64.b64encode(data).decode() for path, data in result.files.items()}
    return RunCodeResponse(status=status, message="", compile_result=well, run_result=command, files=files)


def command_of(result: SandboxResult) -> CommandRunResult:
    """The end of the compiler or the program.

    What was cut off is never a clean end: a client that compares the output would compare a part of it.
    """
    outcome = Outcome.OUTPUT_LIMIT if result.truncated and result.outcome is Outcome.EXITED else result.outcome
    stderr = result.stderr.decode("utf-8", "replace")
    if outcome in _SAID:
        stderr = f"{stderr}\n{_SAID[outcome]}".lstrip()
    return CommandRunResult(
        status=CommandStatus.TIME_LIMIT_EXCEEDED if _return_code(result, outcome) is None else CommandStatus.FINISHED,
        execution_time=result.wall_s,
        return_code=_return_code(result, outcome),
        stdout=result.stdout.decode("utf-8", "replace"),
        stderr=stderr,
    )


def error_of(fault: SandboxFault) -> RunCodeResponse:
    """The response when nothing is known about the program."""
    return RunCodeResponse(status=RunStatus.SANDBOX_ERROR, message=str(fault))


def _return_code(result: SandboxResult, outcome: Outcome) -> int | None:
    """None when it ran out of time."""
    if outcome in _ENDED_BY:
        return -_ENDED_BY[outcome]
    return -result.signal if result.signal is not None else result.exit_code


def _path(path: str, field: str) -> str:
    """A path below the work folder.

    Their server writes and reads files of its own machine for a path that is absolute or climbs; no client needs that.
    """
    if ".." in path.split("/"):
        raise Refusal(422, "invalid", f"{field}: a path has to stay in the work folder", field=field)
    try:
        return _PATHS.validate_python(posixpath.normpath(path))
    except ValidationError:
        detail = f"{field}: a path is names of letters, digits and _.+- between slashes; none begins with a dot"
        raise Refusal(422, "invalid", detail, field=field) from None


def _content(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(422, "invalid", "files: a content is not base64", field="files") from None
