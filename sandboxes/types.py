"""What a sandbox is asked, and what it answers."""

from enum import StrEnum
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIB = 1024 * 1024


class Wire(BaseModel):
    """Base of the types below: frozen, closed, strict, finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Limits(Wire):
    """What one run may use. There is no unlimited value, and the network is not a knob: it is off."""

    wall_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Rescues us; it never assigns blame."""
    cpu_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    memory_bytes: Annotated[int, Field(ge=16 * MIB)] = 256 * MIB
    pids: Annotated[int, Field(ge=1, le=4096)] = 32
    output_bytes: Annotated[int, Field(ge=1)] = MIB
    """For standard output and standard error together."""
    disk_bytes: Annotated[int, Field(ge=0)] = 64 * MIB


class Outcome(StrEnum):
    """How a program ended. What it did, never what we failed to do."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed_out"
    CPU_LIMIT = "cpu_limit"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"


class Program(Wire):
    """One program to run once."""

    argv: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    stdin: bytes = b""
    files: dict[str, bytes] = Field(default_factory=dict)
    """Relative path to content, laid in a fresh work folder."""
    limits: Limits = Limits()


class SandboxResult(Wire):
    """What a program did and what it used."""

    outcome: Annotated[Outcome, Field(strict=False)]
    exit_code: int | None = None
    """Given exactly when the program exited by itself."""
    signal: int | None = None
    """Given exactly when a signal ended the program."""
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
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


class Sandbox(Protocol):
    """Runs one program under limits, with no network and an empty environment."""

    async def run(self, program: Program) -> SandboxResult:
        """Run the program to its end.

        Raises:
            SandboxFault: when nothing can be said about the program because the sandbox failed.
        """
        ...
