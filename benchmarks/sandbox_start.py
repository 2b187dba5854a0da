"""What a sandbox costs, against a bare Python of the same interpreter on the same machine in the same minute.

    one program         a run through the namespaces backend, with everything that isolates
    ten-case problem    compiled and opened once, ten inputs, all cores busy: seconds of the machine for one problem
    2 MB of output      a program that writes it, through the backend and through a pipe
    200 problems        at once: whether one is lost, and what memory is kept afterwards

Each is measured in turns with the bare start, and a figure is a ratio to the median of that.

    python benchmarks/sandbox_start.py [--rounds 9] [--json]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandboxes.errors import SandboxFault
from sandboxes.inside.process_tree import descendants
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.policy import base_python
from sandboxes.types import MIB, Limits, Program

BARE = [base_python(), "-I", "-S", "-E"]
SUM = Program(source="print(sum(map(int, input().split())))")
CASES = [(f"{n} {n + 1}\n".encode(), f"{2 * n + 1}\n".encode()) for n in range(10)]
OUTPUT_BYTES = 2 * MIB
WRITES = f"import sys; sys.stdout.write('x' * {OUTPUT_BYTES})"
LOUD = Program(source=WRITES, limits=Limits(output_bytes=2 * OUTPUT_BYTES))
STARTS_PER_ROUND, PROBLEMS_PER_ROUND, MANY = 12, 24, 200


@dataclass
class Seconds:
    """How long things took, turn by turn."""

    bare: list[float] = field(default_factory=list)
    per_bare: list[float] = field(default_factory=list)
    """All cores busy: time of a round by its number of bare starts."""
    one: list[float] = field(default_factory=list)
    bare_output: list[float] = field(default_factory=list)
    output: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """Latencies of a problem with nothing beside it."""
    beside_others: list[float] = field(default_factory=list)
    per_problem: list[float] = field(default_factory=list)
    """As `per_bare`, by the number of problems."""


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    of: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Crowd:
    """Many problems at once."""

    lost: int
    wrong: int
    seconds: float
    kept_bytes: int
    """Resident memory of the server and of everything it started, afterwards less before."""
    peak_bytes: int
    """The most that the server's process ever had, less what it had before."""


def bare_start(*arguments: str) -> bytes:
    """A Python as small as it gets, started and ended."""
    return subprocess.run([*BARE, *arguments], check=True, capture_output=True).stdout


async def problem(sandbox: NamespaceSandbox) -> bool:
    """One submission, ten inputs; whether every answer was right."""
    async with sandbox.open(SUM) as submission:
        return all([(await submission.run(stdin)).stdout == expected for stdin, expected in CASES])


async def timed(call: Callable[[], Awaitable[object]], into: list[float]) -> None:
    """Note the seconds of one call."""
    start = time.perf_counter()
    await call()
    into.append(time.perf_counter() - start)


async def bare(arguments: tuple[str, ...], into: list[float]) -> None:
    """Note the seconds of one bare start."""
    start = time.perf_counter()
    bare_start(*arguments)
    into.append(time.perf_counter() - start)


async def one_round(sandbox: NamespaceSandbox, seconds: Seconds) -> None:
    """Everything in turns, so that a busy neighbour slows all of it down."""
    for _ in range(STARTS_PER_ROUND):
        await bare(("-c", "pass"), seconds.bare)
        await timed(lambda: sandbox.run(Program(source="pass")), seconds.one)
    for _ in range(3):
        await bare(("-c", WRITES), seconds.bare_output)
        await timed(lambda: whole_output(sandbox), seconds.output)
        await timed(lambda: problem(sandbox), seconds.alone)
    starts = STARTS_PER_ROUND * 2
    seconds.per_bare.append(await busy_cores(lambda: asyncio.to_thread(bare_start, "-c", "pass"), starts))
    beside = seconds.beside_others
    seconds.per_problem.append(await busy_cores(lambda: timed(lambda: problem(sandbox), beside), PROBLEMS_PER_ROUND))


async def whole_output(sandbox: NamespaceSandbox) -> None:
    """Drain it, and see that all of it came."""
    result = await sandbox.run(LOUD)
    assert (len(result.stdout), result.truncated, result.exit_code) == (OUTPUT_BYTES, False, 0)


async def busy_cores(call: Callable[[], Awaitable[object]], count: int) -> float:
    """Seconds for each of so many calls, with as many under way as there are cores."""
    left = iter(range(count))

    async def stream() -> None:
        for _ in left:
            await call()

    start = time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(os.cpu_count() or 1)))
    return (time.perf_counter() - start) / count


async def crowd(sandbox: NamespaceSandbox) -> Crowd:
    """Many problems asked for at once."""
    before, peak_before = resident_bytes(), peak_bytes()
    start = time.perf_counter()
    answers = await asyncio.gather(*(problem(sandbox) for _ in range(MANY)), return_exceptions=True)
    return Crowd(
        lost=sum(isinstance(answer, SandboxFault) for answer in answers),
        wrong=sum(answer is not True for answer in answers),
        seconds=time.perf_counter() - start,
        kept_bytes=resident_bytes() - before,
        peak_bytes=peak_bytes() - peak_before,
    )


def resident_bytes() -> int:
    """Memory of this process and of all below it, each shared page counted once for each."""
    return sum(_status_bytes(pid, "VmRSS") for pid in (os.getpid(), *descendants(os.getpid())))


def peak_bytes() -> int:
    """The most this process ever had."""
    return _status_bytes(os.getpid(), "VmHWM")


def _status_bytes(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


@asynccontextmanager
async def started() -> AsyncIterator[NamespaceSandbox]:
    """The backend as it is shipped, canaries included, warmed up."""
    sandbox = NamespaceSandbox()
    try:
        await sandbox.start()
        lacking = [layer.name for layer in await sandbox.layers() if not layer.holds]
        if lacking:
            print(f"not in full isolation, for want of: {', '.join(lacking)}")
        for _ in range(10):
            await problem(sandbox)
        yield sandbox
    finally:
        await sandbox.close()


def figures(seconds: Seconds) -> list[Figure]:
    """Medians, and what they are of the bare start."""
    start, output = statistics.median(seconds.bare), statistics.median(seconds.bare_output)

    def against(name: str, values: list[float], of: str, base: float, bar: float | None = None) -> Figure:
        median = statistics.median(values)
        return Figure(name, median * 1e3, "ms", median / base, of, bar)

    return [
        Figure("bare python", start * 1e3, "ms"),
        against("bare python, cores busy", seconds.per_bare, "bare python", start),
        against("one program", seconds.one, "bare python", start, 0.7),
        against("ten-case problem, cores busy", seconds.per_problem, "bare python", start, 2.0),
        against("ten-case problem, p50 alone", seconds.alone, "bare python", start),
        against("ten-case problem, p50 beside others", seconds.beside_others, "bare python", start),
        Figure("bare python, 2 MB of output", output * 1e3, "ms"),
        against("2 MB of output", seconds.output, "bare python's", output),
    ]


async def measure(rounds: int) -> tuple[list[Figure], Crowd]:
    """Everything once."""
    seconds = Seconds()
    async with started() as sandbox:
        for _ in range(rounds):
            await one_round(sandbox, seconds)
        return figures(seconds), await crowd(sandbox)


def show(lines: list[Figure], many: Crowd) -> None:
    """The table."""
    for line in lines:
        ratio = f"{line.ratio:6.2f} x {line.of}" if line.ratio is not None else ""
        bar = f"  (at most {line.bar:g})" if line.bar else ""
        print(f"{line.name:<38}{line.value:>9.2f} {line.unit}  {ratio}{bar}")
    print(
        f"{MANY} problems at once: {many.seconds:.2f} s, {many.lost} lost, {many.wrong} wrong,"
        f" {many.kept_bytes / MIB:+.1f} MiB kept, {many.peak_bytes / MIB:+.1f} MiB at the peak"
    )


def main() -> None:
    """Run everything once and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lines, many = asyncio.run(measure(options.rounds))
    if options.json:
        print(json.dumps({"figures": [asdict(line) for line in lines], "crowd": asdict(many)}))
        return
    show(lines, many)


if __name__ == "__main__":
    main()
