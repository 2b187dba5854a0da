"""Programs that try to get out of a sandbox, and how each attempt ended.

The programs are data: `attacks/<category>/<id>.<py|sh|c>`, with what has to be known about each in
`attacks/manifest.toml`. A probe says on its standard output whether it got what it was after (`RESULT SUCCESS`) or not
(`RESULT BLOCKED`). It is not believed when it says that it was held: what came back, what was planted, and what is left
on this machine are looked at too. Every probe is bounded, so that it does no harm where nothing holds it.
"""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandboxes.errors import SandboxFault, SandboxMisconfigured
from sandboxes.planted import Planted, planted
from sandboxes.types import MIB, Limits, Outcome, Program, Sandbox, SandboxResult

Category = Literal["escape", "secret", "network", "resource"]

CANARIES = (
    "read_passwd", "read_secret", "tcp_loopback", "environment", "see_processes", "write_system_folders",
    "capabilities", "new_namespaces", "mount_tmpfs", "signal_outside",
)  # fmt: skip
"""Quick probes that a backend runs before it serves."""

LIMITS = Limits(
    wall_s=3.0, cpu_s=2.0, memory_bytes=256 * MIB, pids=32, output_bytes=MIB, disk_bytes=32 * MIB, open_files=256
)
PATIENCE_S = 5.0
"""How long a probe goes on that has to be ended by a limit."""
_RESCUE_S = 20.0
_LANGUAGES = {"py": "python", "sh": "bash", "c": "c"}
_UNHURRIED = LIMITS.model_copy(update={"wall_s": _RESCUE_S})
_NEIGHBOUR = Program(source="import time; time.sleep(0.7); print('alive')", limits=_UNHURRIED)
_HELLO = Program(source="print('hello')", limits=_UNHURRIED)


@dataclass(frozen=True)
class AttackResult:
    """How one attempt ended."""

    id: str
    category: Category
    contained: bool
    detail: str
    tried: bool = True
    """False where the probe's language is missing."""


class Entry(BaseModel):
    """What the manifest says of a probe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    note: str
    """What it tries."""
    bare: Literal["anyone", "root", "nobody"] = "anyone"
    """Who succeeds without a sandbox. `nobody` where trying it would do harm, or where this depends on the machine."""
    limits: dict[str, float | int] = Field(default_factory=dict)
    """Instead of those in LIMITS."""
    stages: bool = False
    """Run it to hide something, then again in the same submission and in another one to look for that."""
    neighbour: bool = False
    """Another program that runs meanwhile must live."""
    fetch: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    """Files that must not come back, though they were asked for."""


Manifest = dict[Category, dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Entry]]


@dataclass(frozen=True)
class Probe:
    """One program that tries to get out."""

    id: str
    category: Category
    entry: Entry
    program: Program


@cache
def probes() -> tuple[Probe, ...]:
    """All probes, in the order of the manifest."""
    from pydantic import TypeAdapter

    folder = resources.files("sandboxes") / "attacks"
    manifest = TypeAdapter(Manifest).validate_python(tomllib.loads((folder / "manifest.toml").read_text("utf-8")))
    return tuple(
        Probe(name, category, entry, _program(folder, category, name, entry))
        for category, entries in manifest.items()
        for name, entry in entries.items()
    )


def select(names: Iterable[str]) -> tuple[Probe, ...]:
    """The probes with these ids or of these categories.

    Raises:
        ValueError: a name is neither.
    """
    wanted = set(names)
    if unknown := wanted - {known for probe in probes() for known in (probe.id, probe.category)}:
        raise ValueError(f"no attack and no category of attacks is called {sorted(unknown)[0]!r}")
    return tuple(probe for probe in probes() if wanted & {probe.id, probe.category})


async def canaries(sandbox: Sandbox) -> list[AttackResult]:
    """Let the canaries try to get out. Raises SandboxFault when they cannot even be run."""
    by_id = {probe.id: probe for probe in probes()}
    async with planted() as bait:
        return [await _attempt(sandbox, by_id[name], bait) for name in CANARIES]


async def attack(sandbox: Sandbox, chosen: Sequence[Probe] | None = None) -> AsyncIterator[AttackResult]:
    """Let the probes try one after the other, all of them by default."""
    for probe in probes() if chosen is None else chosen:
        yield await try_probe(sandbox, probe)


async def try_probe(sandbox: Sandbox, probe: Probe, patience_s: float = PATIENCE_S) -> AttackResult:
    """Let one probe try with bait of its own, and see whether the sandbox still answers afterwards."""
    async with planted() as bait:
        try:
            result = await _attempt(sandbox, probe, bait, patience_s)
            hello = await sandbox.run(_HELLO)
        except SandboxMisconfigured as missing:
            return AttackResult(probe.id, probe.category, True, f"not tried: {missing}", tried=False)
        except SandboxFault as fault:
            return AttackResult(probe.id, probe.category, False, f"the sandbox failed: {fault}")
    if result.contained and hello.stdout != b"hello\n":
        return AttackResult(probe.id, probe.category, False, f"afterwards a program ended as {hello.outcome}")
    return result


async def _attempt(sandbox: Sandbox, probe: Probe, bait: Planted, patience_s: float = PATIENCE_S) -> AttackResult:
    try:
        async with asyncio.timeout(3 * probe.program.limits.wall_s + _RESCUE_S), AsyncExitStack() as stack:
            beside = None
            if probe.entry.neighbour:
                beside = asyncio.create_task(sandbox.run(_NEIGHBOUR))
                stack.callback(beside.cancel)
            results = [result async for result in _runs(sandbox, probe, bait, patience_s)]
            breach = _breach(probe, bait, results)
            if beside and not breach and (await beside).stdout != b"alive\n":
                breach = "a program that ran beside it was ended"
    except TimeoutError:
        breach = "its limits did not end it"
        results = []
    return AttackResult(probe.id, probe.category, breach is None, breach or _told(results[-1]))


async def _runs(sandbox: Sandbox, probe: Probe, bait: Planted, patience_s: float) -> AsyncIterator[SandboxResult]:
    if not probe.entry.stages:
        yield await sandbox.run(probe.program, bait.facts(probe.id, "only", patience_s))
        return
    async with sandbox.open(probe.program) as submission:
        for stage in ("plant", "look"):
            yield await submission.run(bait.facts(probe.id, stage, patience_s))
    yield await sandbox.run(probe.program, bait.facts(probe.id, "look", patience_s))


def _breach(probe: Probe, bait: Planted, results: list[SandboxResult]) -> str | None:
    """What went wrong, if anything did."""
    for result in results:
        if breach := _shown_by(probe, bait, result):
            return breach
    if bait.reached:
        return f"reached {', '.join(bait.reached)}"
    if marks := bait.marks():
        return f"wrote {', '.join(marks)} outside"
    if left := bait.left_processes():
        return f"left {len(left)} processes behind"
    return None


def _shown_by(probe: Probe, bait: Planted, result: SandboxResult) -> str | None:
    """What a result shows to have gone wrong."""
    streams = len(result.stdout) + len(result.stderr)
    everything = b"\n".join((result.stdout, result.stderr, *result.files.values(), *map(str.encode, result.files)))
    if b"RESULT SUCCESS" in result.stdout:
        return _told(result)
    if leak := bait.leaked(everything):
        return f"showed {leak}"
    if came := set(probe.entry.forbidden) & set(result.files):
        return f"brought back {', '.join(sorted(came))}"
    if max(streams, sum(map(len, result.files.values()))) > probe.program.limits.output_bytes:
        return f"gave {streams} bytes of output and {sum(map(len, result.files.values()))} of files"
    if result.stage == "run" and result.outcome is Outcome.EXITED and b"RESULT " not in result.stdout:
        errors = result.stderr[-200:].decode("utf-8", "replace")
        return f"did not say how it went: exit code {result.exit_code}, {errors}"
    return None


def _told(result: SandboxResult) -> str:
    """The probe's own words, or how it was ended."""
    lines = [line for line in result.stdout.splitlines() if line.startswith(b"RESULT ")]
    if not lines:
        return f"ended as {result.outcome}" if result.stage == "run" else "did not compile"
    return lines[-1][:200].decode("utf-8", "replace").split(maxsplit=2)[-1] if len(lines[-1].split()) > 2 else "held"


def _program(folder: Any, category: str, name: str, entry: Entry) -> Program:
    found = [suffix for suffix in _LANGUAGES if (folder / category / f"{name}.{suffix}").is_file()]
    if len(found) != 1:
        raise FileNotFoundError(f"attacks/{category}/{name} has to be one file, one of .{', .'.join(_LANGUAGES)}")
    parts = (folder / f"prelude.{found[0]}", folder / category / f"{name}.{found[0]}")
    texts = [part.read_text("utf-8") for part in parts if part.is_file()]
    limits = Limits.model_validate({**LIMITS.model_dump(), **entry.limits})
    return Program(language=_LANGUAGES[found[0]], source="\n".join(texts), fetch=entry.fetch, limits=limits)
