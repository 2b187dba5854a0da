"""Ten thousand runs in a row, and what is left of them: processes, open files, mounts, control groups, memory.

Programs that end well, crash, fork and leave children behind, litter files, talk to each other, go on until they are
stopped and are given up half-way take turns through one backend. The state before, after a warm-up, and the state
afterwards have to be the same; memory may differ by 5 %. The exit code is 1 if they are not.

    python benchmarks/sandbox_leaks.py [--runs 10000] [--json]
"""

import argparse
import asyncio
import ctypes
import gc
import json
import os
import random
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from sandboxes.inside.cgroups import PREFIX
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.types import MIB, Limits, Outcome, Program

WARM_UP_RUNS = 500
AT_ONCE = os.cpu_count() or 1
MEMORY_SHARE = 0.05
OUR_MOUNTS = re.compile(r"(/tmp)?(/(bin|dev|etc|lib|lib64|proc|usr)(/.*)?)?/?$")
LIMITS = Limits(memory_bytes=64 * MIB)
SHORT = Limits(wall_s=0.2, memory_bytes=64 * MIB)
LITTER = """
import os
for n in range(50):
    os.makedirs(f"{n}/deep")
    open(f"{n}/deep/file", "w").write("x" * 9999)
os.chmod("0", 0); os.mkfifo("fifo"); os.symlink("/", "root")
"""
CHILDREN = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        os.setsid(); time.sleep(99)
"""
THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
JUDGE = "import socket; line = socket.socket(fileno=3); line.send(b'ask'); print(line.recv(9))"
CANDIDATE = "import socket; line = socket.socket(fileno=3); line.send(line.recv(9)); line.recv(9)"


@dataclass(frozen=True)
class Kind:
    """A kind of program, how often it comes, and how it has to end."""

    weight: int
    source: str
    end: Outcome = Outcome.EXITED


KINDS = {
    "ends well": Kind(60, "print(input())"),
    "raises": Kind(10, "1 / 0"),
    "aborts": Kind(5, "import os; os.abort()", Outcome.SIGNALLED),
    "leaves children": Kind(8, CHILDREN),
    "leaves a thread": Kind(4, THREAD),
    "leaves files": Kind(8, LITTER),
    "writes too much": Kind(2, "while True: print('x' * 9999)", Outcome.OUTPUT_LIMIT),
    "takes too much": Kind(2, "kept = bytearray(1 << 28)", Outcome.OUT_OF_MEMORY),
    "goes on": Kind(1, "import time; time.sleep(99)", Outcome.TIMED_OUT),
    "is given up": Kind(1, "import time; time.sleep(99)"),
    "is linked": Kind(2, JUDGE),
}


@dataclass(frozen=True)
class State:
    """What there is at a quiet moment."""

    processes: int
    descriptors: dict[str, int]
    mounts: dict[str, int]
    control_groups: int
    resident_bytes: dict[str, int]
    anonymous_bytes: dict[str, int]
    """What of it is a process's own, not of a file: it does not depend on who else maps the same libraries."""


@dataclass(frozen=True)
class Report:
    """The comparison."""

    seconds: float
    ended: Counter[str]
    before: State
    after: State

    def leaks(self) -> list[str]:
        """What is not as it was."""
        found = []
        for name in ("processes", "descriptors", "mounts", "control_groups"):
            was, now = getattr(self.before, name), getattr(self.after, name)
            found += [f"{name}: {was} before, {now} after"] if was != now else []
        for name in ("resident_bytes", "anonymous_bytes"):
            was, now = getattr(self.before, name), getattr(self.after, name)
            grown = [who for who in was if now[who] > was[who] * (1 + MEMORY_SHARE)]
            found += [f"{name} of the {who}: {was[who]} before, {now[who]} after" for who in grown]
        return found


def children(pid: int) -> list[int]:
    """The living children of a process."""
    lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for text in lists for child in text.split()]


def below(pid: int) -> int:
    """How many processes there are below one."""
    return sum(1 + below(child) for child in children(pid))


def state() -> State:
    """Take stock, with what this process itself only keeps for later given back first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    (warden,) = children(os.getpid())
    (zygote,) = children(warden)
    roles = {"server": os.getpid(), "warden": warden, "fork server": zygote}
    slots = {f"slot {number}": slot for number, slot in enumerate(sorted(children(zygote)))}
    return State(
        processes=below(os.getpid()),
        descriptors={name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in (roles | slots).items()},
        mounts={name: mounts(pid) for name, pid in roles.items()},
        control_groups=sum(1 for _ in Path("/sys/fs/cgroup").rglob(f"{PREFIX}{warden}-*/*/")),
        resident_bytes={name: in_bytes(pid, "Rss:") for name, pid in roles.items()},
        anonymous_bytes={name: in_bytes(pid, "Anonymous:") for name, pid in roles.items()},
    )


def mounts(pid: int) -> int:
    """Mounts where ours are made; a machine's others come and go."""
    points = [line.split()[4] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    return sum(OUR_MOUNTS.match(point) is not None for point in points)


def in_bytes(pid: int, name: str) -> int:
    """A line of the memory map's summary, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


async def settled() -> State:
    """The state once what was ended is gone and what is made ahead is made: nothing changes for half a second."""
    seen: list[int] = []
    while len(seen) < 5 or len(set(seen[-5:])) > 1:
        await asyncio.sleep(0.1)
        seen.append(below(os.getpid()))
    return state()


async def warm_up(sandbox: NamespaceSandbox, chance: random.Random) -> None:
    """Have every kind once and more, and as many sandboxes as can be needed while others are still ending."""
    await run_many(sandbox, WARM_UP_RUNS, chance)
    for _ in range(50):
        await asyncio.gather(*(submit(sandbox, "is linked", 1) for _ in range(AT_ONCE)))


async def run_many(sandbox: NamespaceSandbox, count: int, chance: random.Random) -> Counter[str]:
    """Run programs of every kind, some of them several times in one submission."""
    ended: Counter[str] = Counter()

    async def stream() -> None:
        while ended.total() < count:
            name = chance.choices(list(KINDS), [kind.weight for kind in KINDS.values()])[0]
            ended[name] += await submit(sandbox, name, chance.choice((1, 1, 1, 4)))

    await asyncio.gather(*(stream() for _ in range(AT_ONCE)))
    return ended


async def submit(sandbox: NamespaceSandbox, name: str, times: int) -> int:
    """One submission, seen to end as it has to; how many runs it was."""
    kind = KINDS[name]
    program = Program(source=kind.source, limits=SHORT if name == "goes on" else LIMITS)
    if name == "is linked":
        judge, _ = await sandbox.run_linked(program, Program(source=CANDIDATE, limits=LIMITS))
        assert judge.stdout == b"b'ask'\n", judge
        return 2
    async with sandbox.open(program) as submission:
        if name == "is given up":
            with suppress(TimeoutError):
                await asyncio.wait_for(submission.run(), 0.02)
            return 1
        for _ in range(times):
            result = await submission.run(b"42\n")
            assert result.outcome is kind.end, (name, result)
    return times


async def measure(runs: int) -> Report:
    """Warm up, take stock, run, take stock again."""
    sandbox, chance = NamespaceSandbox(), random.Random(0)
    try:
        await warm_up(sandbox, chance)
        before, start = await settled(), time.perf_counter()
        ended = await run_many(sandbox, runs, chance)
        return Report(time.perf_counter() - start, ended, before, await settled())
    finally:
        await sandbox.close()


def show(report: Report) -> None:
    """The table."""
    print(f"{report.ended.total()} runs in {report.seconds:.0f} s: {dict(report.ended)}")
    before, after = flat(report.before), flat(report.after)
    for name, was in before.items():
        print(f"{name:<34}{was:>12}{after.get(name, 0):>12}  {after.get(name, 0) / was - 1 if was else 0:+.1%}")
    print("\n".join(["LEAKED", *report.leaks()]) if report.leaks() else "nothing leaked")


def flat(state: State) -> dict[str, int]:
    """One name for each number."""
    found: dict[str, int] = {}
    for name, value in asdict(state).items():
        words = name.replace("_", " ")
        found |= {f"{words} {who}": each for who, each in value.items()} if isinstance(value, dict) else {words: value}
    return found


def main() -> int:
    """Run everything once and print it; 1 if something leaked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = asyncio.run(measure(options.runs))
    if options.json:
        print(json.dumps(asdict(report) | {"leaks": report.leaks()}))
    else:
        show(report)
    return 1 if report.leaks() else 0


if __name__ == "__main__":
    sys.exit(main())
