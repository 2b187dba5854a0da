"""What a sandbox is asked, and what it answers."""

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIB = 1024 * 1024
LINK_FD = 3
"""Where two linked programs find the socket between them."""

RelativePath = Annotated[
    str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$")
]
"""A path below the work folder; it cannot climb out of it."""


def _folders_of(path: str) -> list[str]:
    return [path[:index] for index, letter in enumerate(path) if letter == "/"]


class Wire(BaseModel):
    """Base of the types below: frozen, closed, strict, finite; bytes are base64 in JSON."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, ser_json_bytes="base64", val_json_bytes="base64"
    )


class Limits(Wire):
    """What one run may use. There is no unlimited value, and the network is not a knob: it is off."""

    wall_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Rescues us; it never assigns blame."""
    cpu_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """Of all processes of the run together."""
    memory_bytes: Annotated[int, Field(ge=16 * MIB)] = 256 * MIB
    pids: Annotated[int, Field(ge=1, le=4096)] = 32
    """Processes and threads at once."""
    output_bytes: Annotated[int, Field(ge=1, le=1024 * MIB)] = MIB
    """For standard output and standard error together, and again for the files fetched."""
    disk_bytes: Annotated[int, Field(ge=4096)] = 64 * MIB
    open_files: Annotated[int, Field(ge=16, le=65536)] = 256


class Outcome(StrEnum):
    """How a program ended. What it did, never what we failed to do."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed_out"
    CPU_LIMIT = "cpu_limit"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"


class Program(Wire):
    """A program that nobody trusts, and what each of its runs may use."""

    language: str = "python"
    """Name of a policy: `python`, `c`, `cpp`, `javascript`, `bash`, `java`, `rust`, `go`, ..."""
    source: str
    files: dict[RelativePath, bytes] = Field(default_factory=dict)
    """Relative path to content, laid in the fresh work folder of each run, beside the source."""
    fetch: Annotated[tuple[RelativePath, ...], Field(max_length=64)] = ()
    """Files and folders to bring back after a run. What is missing, too large or not a plain file is left out."""
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _no_file_is_a_folder_too(self) -> Self:
        for path in self.files:
            inside = next((folder for folder in _folders_of(path) if folder in self.files), None)
            if inside:
                raise ValueError(f"{inside!r} is a file, and {path!r} would be in a folder of that name")
        return self


class SandboxResult(Wire):
    """What a program did and what it used."""

    outcome: Annotated[Outcome, Field(strict=False)]
    stage: Literal["compile", "run"] = "run"
    """`compile` when the program did not compile, and so never ran."""
    exit_code: int | None = None
    """Given exactly when the program exited by itself."""
    signal: int | None = None
    """Given exactly when a signal ended the program."""
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    files: dict[str, bytes] = Field(default_factory=dict)
    """Relative path to content of what was asked for in `fetch`."""
    wall_s: Annotated[float, Field(ge=0)]
    cpu_s: Annotated[float, Field(ge=0)]
    peak_memory_bytes: Annotated[int, Field(ge=0)]
    backend: str
    policy_digest: str

    @model_validator(mode="after")
    def _ending_is_told_once(self) -> Self:
        if (self.exit_code is not None) != (self.outcome is Outcome.EXITED):
            raise ValueError("exit_code goes with the outcome 'exited', and only with it")
        if (self.signal is not None) != (self.outcome is Outcome.SIGNALLED):
            raise ValueError("signal goes with the outcome 'signalled', and only with it")
        return self

    @property
    def succeeded(self) -> bool:
        """Whether it ran and exited with 0."""
        return self.stage == "run" and self.exit_code == 0


class Submission(Protocol):
    """One program in one sandbox, compiled once, run as often as there are inputs."""

    async def run(self, stdin: bytes = b"") -> SandboxResult:
        """Run it once: a fork of its own, a fresh work folder, nothing left of the runs before.

        A program that did not compile answers each run with the compiler's result (`stage` is `compile`).

        Raises:
            SandboxFault: when nothing can be said about the program because the sandbox failed.
        """
        ...


class Sandbox(Protocol):
    """Runs programs under limits, with no network and an empty environment."""

    @property
    def backend(self) -> str:
        """Which backend, as on the record."""
        ...

    def policy_digest(self, language: str) -> str:
        """Digest of everything but program and limits that can change a result: policy, layers, toolchain version.

        Raises:
            SandboxMisconfigured: this backend does not offer the language.
        """
        ...

    def open(self, program: Program) -> AbstractAsyncContextManager[Submission]:
        """A sandbox for one submission, which ends, with everything in it, when the context does.

        Raises:
            SandboxMisconfigured: on entering, when the language is unknown or its toolchain is missing.
            SandboxUnavailable: on entering, when no sandbox could be started just now.
        """
        ...

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        """Open, run once, close. Raises SandboxFault."""
        ...

    async def run_linked(self, judge: Program, candidate: Program) -> tuple[SandboxResult, SandboxResult]:
        """Run two programs, each in a sandbox of its own, with a stream socket between them on LINK_FD.

        The socket is all they share. When the judge ends, the candidate is ended too; a candidate that ends leaves
        the judge with an end of file. The results come in the order of the arguments.

        Raises:
            SandboxFault: as `open` and `Submission.run` do.
        """
        ...

    async def close(self) -> None:
        """End every run and remove everything that belongs to the backend."""
        ...
