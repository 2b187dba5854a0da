"""Kill -9 of a server and of each process of its sandboxes in the middle of runs: nothing is left behind, nothing
hangs, and no run is given an ending that is not its own."""

import asyncio
import glob
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from watched_runs import (
    WAIT_S,
    alive,
    ancestors,
    children,
    comes_true,
    marked_source,
    new_mark,
    processes,
    python_for_everybody,
    until,
)

from sandboxes.errors import SandboxFault, SandboxLost, SandboxUnavailable
from sandboxes.inside.cgroups import process_start
from sandboxes.inside.process_tree import descendants
from sandboxes.namespaces import NamespaceSandbox, Tier
from sandboxes.sweep import sweep_here
from sandboxes.types import Limits, Outcome, Program

SERVER = """
import asyncio, sys
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.types import Limits, Program

async def main(tier, python, language):
    sandbox = NamespaceSandbox(tier=tier, python=python)
    program = Program(language=language, source=sys.stdin.read(), limits=Limits(wall_s=60, cpu_s=60, pids=64))
    await asyncio.gather(sandbox.run(program), sandbox.run(program))

asyncio.run(main(*sys.argv[1:]))
"""
BUSY = {
    "sleeping": "import time; time.sleep(60)",
    "spinning": "while True: pass",
    "writing": "import time\nwhile True: print('x' * 9, flush=True); time.sleep(0.01)",
    "littering": "import time\nfor place in ('.', '/tmp', '/var/tmp', '/dev/shm'):\n"
    "    try: open(f'{place}/MARK', 'w')\n    except OSError: pass\ntime.sleep(60)",
    "forking": "import os, time\ndef fork():\n    try: return os.fork()\n    except OSError: return time.sleep(0.01)\n"
    "for _ in range(3):\n    if fork() == 0: os.setsid()\n"
    "while True:\n    pid = fork()\n    if pid == 0: os._exit(0)\n    if pid: os.waitpid(pid, 0)",
}
FUNCTION = "int f{0}(int a) {{ int s = 0; for (int i = 0; i < a; i++) s += i * a % {0}7 ^ i; return s; }}\n"
LARGE_C = "".join(FUNCTION.format(number) for number in range(1, 8000)) + "int main(void) { return 0; }\n"
ORDER = ("keeper", "slot", "zygote", "warden")
"""From the program upwards."""


@pytest.fixture(params=["full", "landlock"])
def tier(request: pytest.FixtureRequest) -> Tier:
    return request.param


@pytest.fixture
def python() -> str:
    path = python_for_everybody()
    if path is None:
        pytest.skip(
            "no Python 3.11 or newer on this machine that every user can read: the landlock tier has none to run"
        )
    return path


@contextmanager
def server(tier: str, python: str, language: str, source: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the program twice at once."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, tier, python, language], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(source.encode())
    process.stdin.close()
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def sandbox(tier: Tier, python: str, parallel: int = 2) -> AsyncIterator[NamespaceSandbox]:
    opened = NamespaceSandbox(tier=tier, python=python, parallel=parallel)
    try:
        yield opened
    finally:
        await opened.close()


def mounts() -> set[str]:
    """Of this machine; container engines and logins come and go on their own."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line for line in lines if not line.split()[4].startswith(("/run", "/var/lib"))}


def family_of(pids: list[int]) -> dict[int, int]:
    """Processes and when they started: a number alone is soon another's."""
    return {pid: process_start(pid) for pid in pids}


def left_of(family: dict[int, int]) -> list[str]:
    """Control groups and work folders that carry these processes' names."""
    places = ("/tmp/assay-{0}-{1}-*", "/sys/fs/cgroup/**/assay-{0}-{1}-*")
    return [
        path for owner in family.items() for place in places for path in glob.glob(place.format(*owner), recursive=True)
    ]


def kill_and_look(process: subprocess.Popen[bytes]) -> None:
    """Kill a server; nothing of what it started is left after a sweep."""
    family = family_of(descendants(process.pid))
    process.kill()
    process.wait()
    until(lambda: not [pid for pid, start in family.items() if alive(pid) and process_start(pid) == start])
    until(lambda: sweep_here() is not None and left_of(family) == [])  # the last one may still be dying


@pytest.mark.parametrize("doing", BUSY)
def test_a_server_killed_in_the_middle_of_runs_leaves_nothing(tier: Tier, python: str, doing: str):
    before, mark = mounts(), new_mark()
    with server(tier, python, "python", marked_source(mark, BUSY[doing].replace("MARK", mark))) as process:
        until(lambda: len(processes(mark)) >= 2)
        kill_and_look(process)
    until(lambda: not processes(mark))
    assert mounts() <= before
    assert [path for place in ("/tmp", "/tmp/*", "/var/tmp", "/dev/shm") for path in glob.glob(f"{place}/{mark}")] == []


def test_a_server_killed_while_it_compiles_leaves_no_compiler(tier: Tier, python: str):
    with server(tier, python, "c", LARGE_C) as process:
        until(lambda: set(processes("cc1")) & set(descendants(process.pid)))
        kill_and_look(process)


def test_a_sweep_touches_nothing_of_a_living_server(tier: Tier, python: str):
    mark = new_mark()
    with server(tier, python, "python", marked_source(mark, BUSY["sleeping"])) as process:
        until(lambda: len(processes(mark)) == 2)
        before = left_of(family_of(descendants(process.pid)))
        sweep_here()
        assert left_of(family_of(descendants(process.pid))) == before
        assert len(processes(mark)) == 2


@pytest.mark.parametrize("victim", ORDER)
def test_a_run_whose_sandbox_is_killed_is_lost_and_the_next_one_works(tier: Tier, python: str, victim: str):
    mark = new_mark()

    async def scenario() -> None:
        async with sandbox(tier, python) as used:
            run = asyncio.create_task(used.run(long_program(mark)))
            await comes_true(lambda: processes(mark))
            kill(ancestors(processes(mark)[0])[ORDER.index(victim)])
            with pytest.raises(SandboxLost):
                await asyncio.wait_for(run, WAIT_S)
            await works(used)
            await comes_true(lambda: not processes(mark))

    asyncio.run(scenario())


def test_a_slot_that_is_killed_takes_no_other_run_with_it(tier: Tier, python: str):
    mark, other = new_mark(), new_mark()

    async def scenario() -> None:
        async with sandbox(tier, python) as used:
            run = asyncio.create_task(used.run(long_program(mark)))
            beside = asyncio.create_task(used.run(long_program(other, "input()")))
            await comes_true(lambda: processes(mark))
            _, slot, _, warden, *_ = ancestors(processes(mark)[0])
            kill(slot)
            with pytest.raises(SandboxLost):
                await asyncio.wait_for(run, WAIT_S)
            assert (await asyncio.wait_for(beside, WAIT_S)).outcome is Outcome.EXITED
            await works(used)
            assert alive(warden)
            family = family_of([warden, *descendants(warden)])
        assert left_of(family) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("victim", ORDER)
def test_an_idle_sandbox_that_is_killed_is_made_again(tier: Tier, python: str, victim: str):
    mark = new_mark()

    async def scenario() -> None:
        async with sandbox(tier, python) as used:
            run = asyncio.create_task(used.run(long_program(mark)))
            await comes_true(lambda: processes(mark))
            warden = ancestors(processes(mark)[0])[ORDER.index("warden")]
            run.cancel()
            await comes_true(lambda: not processes(mark))
            for pid in of_depth([warden], ORDER[::-1].index(victim)):
                kill(pid)
            await works(used)

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_killed_no_run_gets_an_ending_that_is_not_its_own(tier: Tier, python: str, seed: int):
    chance, scored, stop = random.Random(seed), [], asyncio.Event()

    async def runs(used: NamespaceSandbox) -> None:
        while not stop.is_set():
            with suppress(SandboxLost, SandboxUnavailable):
                result = await asyncio.wait_for(used.run(Program(source="print(42)")), WAIT_S)
                assert (result.outcome, result.exit_code, result.stdout) == (Outcome.EXITED, 0, b"42\n")
                scored.append(result)

    async def scenario() -> None:
        async with sandbox(tier, python) as used, asyncio.TaskGroup() as streams:
            for _ in range(3):
                streams.create_task(runs(used))
            for _ in range(15):
                before = len(scored)
                await comes_true(lambda before=before: len(scored) > before)
                await asyncio.sleep(chance.uniform(0, 0.05))
                if victims := [pid for depth in range(4) for pid in of_depth(our_wardens(), depth)]:
                    kill(chance.choice(victims))
            await works(used)
            stop.set()

    asyncio.run(scenario())


def test_a_cancelled_run_frees_its_place_and_ends_its_program(tier: Tier, python: str):
    mark = new_mark()

    async def scenario() -> None:
        async with sandbox(tier, python, parallel=1) as used:
            run = asyncio.create_task(used.run(long_program(mark, BUSY["forking"])))
            await comes_true(lambda: len(processes(mark)) > 1)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            await works(used)
            await comes_true(lambda: not processes(mark))

    asyncio.run(scenario())


def test_closing_ends_the_runs_in_flight_and_leaves_nothing_to_sweep(tier: Tier, python: str):
    mark = new_mark()

    async def scenario() -> None:
        async with sandbox(tier, python) as used:
            runs = [asyncio.create_task(used.run(long_program(mark))) for _ in range(3)]
            await comes_true(lambda: len(processes(mark)) == 2)
            keeper, slot, zygote, warden, *_ = ancestors(processes(mark)[0])
            family = family_of([warden, *descendants(warden)])
            await asyncio.wait_for(used.close(), WAIT_S)
            ends = await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), WAIT_S)
        assert all(isinstance(end, SandboxFault) for end in ends)
        assert not any(map(alive, (keeper, slot, zygote, warden)))
        assert processes(mark) == []
        assert left_of(family) == []

    asyncio.run(scenario())


def test_runs_of_every_kind_leave_nothing_behind(tier: Tier, python: str):
    kinds = ["print(input())", "1 / 0", "import os; os.abort()", "import os; os.fork()", "print(input() * 10**5)"]
    rounds = 40

    async def scenario() -> None:
        async with sandbox(tier, python) as used:
            for _ in range(3):
                await every_kind(used)
            for _ in range(3):  # more sandboxes may be kept than before, until there are as many as ever were in use
                if not await grows(used):
                    return
            raise AssertionError(f"every {rounds} rounds leave as many files or processes behind")

    async def grows(used: NamespaceSandbox) -> bool:
        before = held()
        for _ in range(rounds):
            await every_kind(used)
        end = time.monotonic() + WAIT_S / 3
        while held() >= before + rounds and time.monotonic() < end:
            await asyncio.sleep(0.05)
        return held() >= before + rounds

    async def every_kind(used: NamespaceSandbox) -> None:
        programs = [Program(source=source, limits=Limits(output_bytes=4096)) for source in kinds]
        await asyncio.gather(*(used.run(program, b"x" * 9) for program in programs))
        async with used.open(programs[0]) as submission:
            for _ in range(3):
                await submission.run(b"x")
        judge, candidate = (Program(source="import socket; print(socket.socket(fileno=3).recv(1))") for _ in range(2))
        await used.run_linked(judge, candidate.model_copy(update={"source": "pass"}))

    def held() -> int:
        """Open files and children of wardens and fork servers."""
        pids = [pid for depth in range(3) for pid in of_depth(our_wardens(), depth)]
        return sum(len(os.listdir(f"/proc/{pid}/fd")) + len(children(pid)) for pid in pids)

    asyncio.run(scenario())


def long_program(mark: str, then: str = BUSY["sleeping"]) -> Program:
    return Program(source=marked_source(mark, then), limits=Limits(wall_s=60, cpu_s=60, pids=64))


def of_depth(wardens: list[int], depth: int) -> list[int]:
    """The wardens, their zygotes, the slots of those, or the keepers."""
    found = wardens
    for _ in range(depth):
        found = [child for pid in found for child in children(pid)]
    return found


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def our_wardens() -> list[int]:
    found = []
    for pid in children(os.getpid()):
        with suppress(OSError):
            if b"import warden" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


async def works(used: NamespaceSandbox) -> None:
    """Within three tries: what was killed may be noticed by the run that needs it."""
    last: SandboxFault | None = None
    for _ in range(3):
        try:
            result = await asyncio.wait_for(used.run(Program(source="print(6 * 7)")), WAIT_S)
        except (SandboxLost, SandboxUnavailable) as fault:
            last = fault
            continue
        assert result.stdout == b"42\n"
        return
    raise AssertionError("it works no more") from last
