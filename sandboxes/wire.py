"""The bodies of the HTTP interface of `python -m sandboxes serve`, as its server and its client see them."""

from typing import Self

from pydantic import Field, model_validator

from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.types import Program, SandboxResult, Wire

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Busy(SandboxUnavailable):
    """Nothing is wrong but that others came first."""


FAULTS: dict[str, type[SandboxFault]] = {
    "busy": Busy,
    "unavailable": SandboxUnavailable,
    "lost": SandboxLost,
    "misconfigured": SandboxMisconfigured,
}
"""The `code` of a problem document of a fault, and the exception that it is on both sides."""


class Parcel(Wire):
    """A program on its way."""

    program: Program
    source: bytes | None = None
    """Takes the place of `program.source` where that holds lone surrogates, which JSON cannot carry. A completion may
    hold them, and they are for its compiler to reject, not for us to fail on."""

    @classmethod
    def of(cls, program: Program) -> Self:
        """Wrap a program, whatever its source holds."""
        try:
            program.source.encode("utf-8")
        except UnicodeEncodeError:
            source = program.source.encode("utf-8", "surrogatepass")
            return cls(program=program.model_copy(update={"source": ""}), source=source)
        return cls(program=program)

    def unpacked(self) -> Program:
        """The program as it was wrapped."""
        if self.source is None:
            return self.program
        return self.program.model_copy(update={"source": self.source.decode("utf-8", "surrogatepass")})

    @model_validator(mode="after")
    def _source_can_be_read(self) -> Self:
        try:
            self.unpacked()
        except UnicodeDecodeError:
            raise ValueError("source is not UTF-8, not even with surrogates") from None
        return self


class RunRequest(Parcel):
    """`POST /v1/run`: open, run once, close."""

    stdin: bytes = b""


class StdinRequest(Wire):
    """`POST /v1/submissions/{id}/run`."""

    stdin: bytes = b""


class LinkedRequest(Wire):
    """`POST /v1/run-linked`."""

    judge: Parcel
    candidate: Parcel


class LinkedResults(Wire):
    """Answer to `LinkedRequest`."""

    judge: SandboxResult
    candidate: SandboxResult


class Opened(Wire):
    """Answer to `POST /v1/submissions`."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    idle_s: float
    """The submission ends when it was not run for so long."""


class Offer(Wire):
    """What a server has for one language."""

    policy_digest: str | None = None
    """None when programs in this language cannot run there."""
    version: str = ""
    """First line of what the toolchain says of itself."""
    missing: str = ""
    """Why there is no digest."""


class Policies(Wire):
    """Answer to `GET /v1/policies`."""

    backend: str
    languages: dict[str, Offer]
    overhead_s: float = Field(ge=0)
    """What an answer may take beside the program's own wall limit: waiting for a turn, compiling."""


class Problem(Wire):
    """An RFC 9457 problem document. It never repeats what was sent."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    """Short name of what went wrong; one of `FAULTS` where the sandbox failed."""
    retryable: bool = False
    field: str | None = None
