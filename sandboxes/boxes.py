"""What the backends with a warden share: compile once, open a box, run it, and say how it ended."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from sandboxes.classify import Ending, classify
from sandboxes.errors import SandboxLost, SandboxMisconfigured
from sandboxes.inside.frames import pack
from sandboxes.policy import Policy
from sandboxes.types import MIB, Limits, Outcome, Program, SandboxResult, Submission
from sandboxes.warden_link import Answer, WardenLink

_ARTEFACT_CACHE_BYTES = 256 * MIB
_ENTRY_BYTES = 4096
"""What an entry takes beside its content, generously."""
_STACK_BYTES = 64 * MIB
_INODE_BYTES = 16 * 1024
_LEAST_INODES, _MOST_INODES = 256, 4096

File = tuple[str, bytes, int]
Lend = Callable[[], AbstractAsyncContextManager[WardenLink]]


class Artefacts:
    """Compiled programs by content, the least recently used forgotten first."""

    def __init__(self, most_bytes: int = _ARTEFACT_CACHE_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._kept: OrderedDict[str, SandboxResult] = OrderedDict()

    def get(self, key: str) -> SandboxResult | None:
        """The compiler's result for this content."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, result: SandboxResult) -> None:
        """Keep a result that another attempt would repeat: one that exited by itself."""
        if result.outcome is not Outcome.EXITED or key in self._kept:
            return
        self._kept[key] = result
        self._bytes += _size(result)
        while self._bytes > self._most_bytes:
            self._bytes -= _size(self._kept.popitem(last=False)[1])


@dataclass(frozen=True)
class Origin:
    """What every result says of where it comes from."""

    backend: str
    policy_digest: str


class Box:
    """A submission in a box of a warden; keeps the promise of `Submission`."""

    def __init__(self, link: WardenLink, policy: Policy, program: Program, origin: Origin, number: int) -> None:
        self._link, self._policy, self._program, self._origin = link, policy, program, origin
        self._number = number
        self._one_at_a_time = asyncio.Lock()
        self._abandoned = False

    @property
    def link(self) -> WardenLink:
        """The warden that it lies with."""
        return self._link

    async def run(self, stdin: bytes = b"", *, last: bool = False) -> SandboxResult:
        """Run it once; `last` says that it will not be run again. Raises SandboxFault."""
        limits = self._policy.raised(self._program.limits)
        async with self._one_at_a_time:
            if self._abandoned:
                raise SandboxLost("an earlier run of this submission was given up; open another")
            self._abandoned = True
            answer = await self._link.run(self._number, run_terms(limits, self._program.fetch, last=last), stdin)
            self._abandoned = False
        return result_of(answer, limits, self._policy, self._origin)


@dataclass(frozen=True)
class NotCompiled:
    """A submission that did not compile: every run is answered with the compiler's result."""

    result: SandboxResult

    async def run(self, stdin: bytes = b"", *, last: bool = False) -> SandboxResult:
        """The compiler's result."""
        return self.result


async def compiled(
    lend: Lend, policy: Policy, program: Program, origin: Origin, artefacts: Artefacts
) -> SandboxResult | None:
    """The compiler's result, from the cache if it has it; None for a language that is not compiled.

    Args:
        lend: where to run the compiler, if it has to be run.
        policy: the language.
        program: what to compile.
        origin: for the result.
        artefacts: the cache.

    Raises:
        SandboxFault: the compiler could not be run.
    """
    table = policy.table.compile
    if table is None:
        return None
    key = _content_key(origin, program)
    known = artefacts.get(key)
    if known is not None:
        return known
    spec = spec_of(policy, table.limits, policy.fill(table.argv))
    async with lend() as link:
        box = link.open(policy.name, spec, source_files(policy, program))
        try:
            answer = await link.run(box, run_terms(table.limits, table.artefacts, last=True), b"")
        finally:
            link.close_box(box)
    result = result_of(answer, table.limits, policy, origin)
    bounded = {name: getattr(result, name)[: program.limits.output_bytes] for name in ("stdout", "stderr")}
    result = result.model_copy(update={"stage": "compile", **bounded})
    artefacts.put(key, result)
    return result


@asynccontextmanager
async def opened(
    link: WardenLink, policy: Policy, program: Program, origin: Origin, artefacts: Artefacts
) -> AsyncIterator["Box | NotCompiled"]:
    """A box with the program in it, compiled if need be."""
    made = await compiled(lambda: nullcontext(link), policy, program, origin, artefacts)
    if made is not None and made.exit_code != 0:
        yield NotCompiled(made)
        return
    async with boxed(link, policy, program, origin, made) as box:
        yield box


@asynccontextmanager
async def boxed(
    link: WardenLink, policy: Policy, program: Program, origin: Origin, made: SandboxResult | None
) -> AsyncIterator[Box]:
    """A box with the program in it and, if it had to be compiled, with what the compiler made."""
    limits = policy.raised(program.limits)
    extra = [(path, data, 0o755) for path, data in made.files.items()] if made else []
    spec = spec_of(policy, limits, policy.run_argv(limits))
    number = link.open(policy.name, spec, [*source_files(policy, program), *extra])
    try:
        yield Box(link, policy, program, origin, number)
    finally:
        link.close_box(number)


class Linking(Protocol):
    """What runs two boxes with a socket between them: a warden that has both, or what lies between two wardens."""

    async def link(self, *orders: tuple[int, dict[str, Any]]) -> tuple[Answer, Answer]:
        """Run the boxes of these numbers, on these terms. Raises SandboxFault."""


async def linked(
    between: Callable[[WardenLink, WardenLink], Linking], judge: Submission, candidate: Submission
) -> tuple[SandboxResult, SandboxResult]:
    """Run two boxes with a socket between them.

    Args:
        between: what links boxes of these two wardens.
        judge: with it the run ends.
        candidate: it is ended then.

    Raises:
        SandboxMisconfigured: one of them is no box, because it did not compile.
        SandboxFault: as `Submission.run` does.
    """
    boxes = [box for box in (judge, candidate) if isinstance(box, Box)]
    if len(boxes) < 2:
        raise SandboxMisconfigured("a linked program did not compile; link programs in languages that are not compiled")
    limits = [box._policy.raised(box._program.limits) for box in boxes]
    orders = [
        (box._number, run_terms(limit, box._program.fetch, last=True)) for box, limit in zip(boxes, limits, strict=True)
    ]
    answers = await between(*(box.link for box in boxes)).link(*orders)
    first, second = (
        result_of(answer, limit, box._policy, box._origin)
        for answer, limit, box in zip(answers, limits, boxes, strict=True)
    )
    return first, second


def source_files(policy: Policy, program: Program) -> list[File]:
    """What is laid in the work folder: the program's files, and its source under the language's name for it."""
    source = program.source.encode("utf-8", "surrogatepass")
    files = {**program.files, policy.table.main: source}
    return [(path, data, 0o644) for path, data in files.items()]


def spec_of(policy: Policy, limits: Limits, argv: list[str] | None) -> dict[str, Any]:
    """How the program is started. A warm interpreter is given the file instead of a command."""
    start: dict[str, Any] = {"main": policy.table.main} if argv is None else {"argv": argv}
    return {**start, "rlimits": rlimits(limits, address_space=policy.table.address_space)}


def rlimits(limits: Limits, *, address_space: float) -> dict[str, int]:
    """Limits of each single process, behind those that hold for all of them together."""
    chosen = {
        "RLIMIT_CPU": int(limits.cpu_s) + 2,
        "RLIMIT_FSIZE": limits.disk_bytes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_NPROC": limits.pids + 1,
        "RLIMIT_STACK": min(_STACK_BYTES, limits.memory_bytes),
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 64 * 1024,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NICE": 0,
        "RLIMIT_RTPRIO": 0,
        "RLIMIT_SIGPENDING": 256,
    }
    return {**chosen, "RLIMIT_AS": int(limits.memory_bytes * address_space)} if address_space else chosen


def shape_of(limits: Limits) -> dict[str, int]:
    """What a sandbox has to know before its submission: how large its scratch space is."""
    inodes = min(_MOST_INODES, max(_LEAST_INODES, limits.disk_bytes // _INODE_BYTES))
    return {"disk_bytes": limits.disk_bytes, "inodes": inodes}


def run_terms(limits: Limits, fetch: Sequence[str], *, last: bool = False) -> dict[str, Any]:
    """What the warden holds a run to; after the last one nothing is made ready for another."""
    return {**limits.model_dump(exclude={"open_files"}), **shape_of(limits), "fetch": list(fetch), "last": last}


def result_of(answer: Answer, limits: Limits, policy: Policy, origin: Origin) -> SandboxResult:
    """The warden's facts as a result."""
    facts, (stdout, stderr, *contents) = answer
    ending = Ending(facts["status"], facts["stopped"], facts["out_of_memory"], facts["cpu_s"])
    outcome, exit_code, signal = classify(ending, limits.cpu_s, policy.table.out_of_memory_exits)
    return SandboxResult(
        outcome=outcome, exit_code=exit_code, signal=signal, stdout=stdout, stderr=stderr, truncated=facts["truncated"],
        files=dict(zip(facts["files"], contents, strict=True)), wall_s=facts["wall_s"], cpu_s=facts["cpu_s"],
        peak_memory_bytes=facts["peak_bytes"], backend=origin.backend, policy_digest=origin.policy_digest,
    )  # fmt: skip


def _content_key(origin: Origin, program: Program) -> str:
    parts = [program.source.encode("utf-8", "surrogatepass"), *program.files.values()]
    header = {"policy": origin.policy_digest, "paths": list(program.files)}
    return hashlib.sha256(pack(header, parts)).hexdigest()


def _size(result: SandboxResult) -> int:
    return _ENTRY_BYTES + sum(map(len, (result.stdout, result.stderr, *result.files.values())))
