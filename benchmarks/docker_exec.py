"""One Python program in the docker backend, beside the same program started by `docker exec` in one of its containers.

The backend has a fork server inside each warm container, so that a run costs a fork. The bar: at least 5 times
faster than an exec for each run, whichever way of asking for one is quicker. All are measured in turn. Needs a
container engine; the image is built from this machine's own files.

    python benchmarks/docker_exec.py --runs 50
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable

import docker

from sandboxes import runner_image
from sandboxes.docker import DockerSandbox
from sandboxes.docker_engine import OWNER_LABEL
from sandboxes.inside.cgroups import owned_by
from sandboxes.types import Program

PROGRAM = Program(source="pass")
COMMAND = ["python3", "-I", "-S", "-E", "-c", "pass"]
BAR = 5.0
SETTLE_S = 2.0
"""For containers of other kinds, which the canaries used, to be gone."""

Way = Callable[[], Awaitable[object]]


async def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50, help="of each kind")
    runs = parser.parse_args().runs
    sandbox = DockerSandbox(await asyncio.to_thread(runner_image.build))
    client = docker.from_env()
    try:
        await sandbox.start()
        async with sandbox.open(PROGRAM) as submission:
            for _ in range(5):
                await submission.run()
                await sandbox.run(PROGRAM)
            await asyncio.sleep(SETTLE_S)
            report(await measured(ways(sandbox, submission.run, client), runs))
    finally:
        client.close()
        await sandbox.close()


def ways(sandbox: DockerSandbox, rerun: Way, client: docker.DockerClient) -> dict[str, Way]:
    """What is compared, by name."""
    own = {"label": f"{OWNER_LABEL}={owned_by(os.getpid())}"}
    container = client.containers.list(filters=own)[0]
    found: dict[str, Way] = {
        "backend, a submission of its own": lambda: sandbox.run(PROGRAM),
        "backend, again in a submission": rerun,
        "docker exec, Docker SDK": lambda: asyncio.to_thread(container.exec_run, COMMAND),
    }
    if cli := shutil.which("docker"):
        command = [cli, "exec", container.id, *COMMAND]
        found["docker exec, command line"] = lambda: asyncio.to_thread(subprocess.run, command, check=True)
    return found


async def measured(compared: dict[str, Way], runs: int) -> dict[str, list[float]]:
    """Milliseconds of each run, all ways in turn."""
    taken: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(runs):
        for name, once in compared.items():
            started = time.perf_counter()
            await once()
            taken[name].append((time.perf_counter() - started) * 1000)
    return taken


def report(taken: dict[str, list[float]]) -> None:
    """A line for each way, and the ratio that the bar is about."""
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(f"{'':34} {'median ms':>10} {'p90':>8}")
    for name, times in taken.items():
        print(f"{name:34} {medians[name]:10.1f} {statistics.quantiles(times, n=10)[-1]:8.1f}")
    quickest = min(median for name, median in medians.items() if name.startswith("docker exec"))
    ratio = quickest / medians["backend, a submission of its own"]
    print(f"\nthe backend is {ratio:.1f} times faster than the quicker exec (bar: {BAR:g})")


if __name__ == "__main__":
    asyncio.run(main())
