"""Running a program for a requirement, and saying what was not as expected."""

import textwrap
from collections.abc import Mapping
from typing import Any

from sandboxes.types import MIB, Limits, Outcome, Program, Sandbox, SandboxResult

LIMITS = Limits(
    wall_s=5.0, cpu_s=2.0, memory_bytes=192 * MIB, pids=16, output_bytes=MIB, disk_bytes=16 * MIB, open_files=64
)


class Unmet(Exception):
    """A requirement is not met; says what was seen instead."""


def program(
    source: str, *, language: str = "python", files: Mapping[str, bytes] | None = None, fetch: tuple[str, ...] = (),
    **limits: Any,
) -> Program:  # fmt: skip
    """A program under LIMITS, with other ones where they are named."""
    return Program(
        language=language, source=textwrap.dedent(source), files=dict(files or {}), fetch=fetch,
        limits=LIMITS.model_copy(update=limits),
    )  # fmt: skip


async def run(sandbox: Sandbox, source: str, stdin: bytes = b"", **terms: Any) -> SandboxResult:
    """Run a program once. Raises SandboxFault."""
    return await sandbox.run(program(source, **terms), stdin)


def expect(result: SandboxResult, outcome: Outcome = Outcome.EXITED, **facts: Any) -> None:
    """Compare the outcome, and the fields that are named.

    Raises:
        Unmet: naming the field, what it is and what it should be.
    """
    for name, wanted in {"outcome": outcome, **facts}.items():
        seen = getattr(result, name)
        if seen != wanted:
            errors = f"; stderr: {result.stderr[-300:].decode('utf-8', 'replace')}" if result.stderr else ""
            raise Unmet(f"{name} is {_short(seen)} and not {_short(wanted)}{errors}")


def expect_that(holds: bool, otherwise: str) -> None:
    """Raise Unmet unless something holds."""
    if not holds:
        raise Unmet(otherwise)


def _short(value: Any) -> str:
    text = value.value if isinstance(value, Outcome) else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}... ({len(value)} long)"
