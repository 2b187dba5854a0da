"""The same verifier, exact number match, through Assay, OpenEnv, NeMo Gym and verifiers: items a second, CPU for each.

Each takes its own path on the same machine in the same run: Assay and OpenEnv and NeMo Gym over HTTP, by the load
generator of `service_sustained.py`; verifiers in one process, as its replay scores what was sampled. What each does for
an item differs, and the table says it: only Assay and verifiers keep a record, only Assay's is durable when it answers.
So does how many cores each may use: Assay's rewarders run in processes of their own, one for each core, the others in
one process; CPU for an item is what compares. Each has to tell a right answer from a wrong one before it is measured.
A peer whose Python is not named, or lacks it, is skipped, and told of.

    python benchmarks/peers_service.py [--openenv P1/bin/python] [--nemo-gym P2/bin/python] [--verifiers P3/bin/python]
        [--seconds 10] [--rounds 3] [--json]
"""

import argparse
import asyncio
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from load_generator import NUMBER, SCORED, Answers, Bodies, Connection, load
from service_process import cpu_s_below, service

from env_server.app import open_service
from env_server.config import ServiceConfig
from env_server.schemas import Item
from rewarders import Completion, Task

HERE = Path(__file__).parent
SINGLE_STREAMS, BATCH_STREAMS, BATCH = 32, 4, 256
STEP = "She buys 3 boxes of 4 pens, which makes 3 * 4 = <<3*4=12>>12 pens for 12 * 2 = 24 dollars. "
TOML = """
[plugins]
load = []
modules = ["exact_rewarder"]
[sandbox]
backend = "off"
[cache]
max_bytes = 0
[rubrics."exact.v1"]
parts = [{ rewarder = "exact.number" }]
"""
Figures = dict[str, float]
CORES = f"""Assay: an event loop, and {os.cpu_count()} processes for verdicts, on {os.cpu_count()} cores.
OpenEnv, NeMo Gym: one process of uvicorn, so one core. verifiers: one process, one core.
The load generator has one core of the same machine."""


def sums(count: int) -> list[dict[str, str]]:
    """Worked sums of about 600 characters, every other one wrong, each with a number of its own."""
    return [
        {"text": f"{NUMBER} {STEP * 6}\n#### ${1000 + i // 16 + i % 2}.00", "answer": f"{1000 + i // 16:,}"}
        for i in range(count)
    ]


def items(count: int) -> list[Item]:
    """The same for Assay."""
    return [
        Item(
            task=Task(
                id=f"s{i // 16}", prompt=[{"role": "user", "content": "How much?"}], rubric="exact.v1",
                reference={"answer": one["answer"]},
            ),
            completion=Completion(text=one["text"]), group=f"s{i // 16}", sample=i % 16,
        )
        for i, one in enumerate(sums(count))
    ]  # fmt: skip


def assay(batch: int, streams: int, *, ledger: bool = True) -> Callable[[float], Figures]:
    """Over HTTP, so many items a request."""

    def measure(seconds: float) -> Figures:
        with service(TOML + f"[ledger]\nenabled = {str(ledger).lower()}\n") as process:
            two = [Bodies.of([one]).template for one in items(2)]
            asyncio.run(_check(process.url, two, "/v1/score", lambda said: said["items"][0]["reward"]))
            return _over_http(process.url, Bodies.of(items(batch)).numbered(), streams, seconds, process.cpu_s)

    return measure


def assay_in_process(seconds: float) -> Figures:
    """The engine, its workers and its ledger, without HTTP: what HTTP costs is the difference."""
    import tempfile
    import tomllib

    bodies = (json.loads(body)["items"] for body in Bodies.of(items(BATCH)).numbered())

    async def run(folder: str) -> Figures:
        config = ServiceConfig.model_validate(tomllib.loads(TOML) | {"ledger": {"data_dir": folder}})
        async with open_service(config) as opened:
            answer = json.loads(await opened.engine.score(next(bodies)))
            assert [one["reward"] for one in answer["items"]] == [1.0, 0.0] * (BATCH // 2)
            began_s, cpu_s, done = time.perf_counter(), _own_cpu_s(), 0

            async def stream() -> None:
                nonlocal done
                while time.perf_counter() < began_s + seconds:
                    await opened.engine.score(next(bodies))
                    done += BATCH

            await asyncio.gather(*(stream() for _ in range(BATCH_STREAMS)))
            return _figures(done, time.perf_counter() - began_s, _own_cpu_s() - cpu_s)

    os.environ["PYTHONPATH"] = _paths()
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(folder))


def openenv(python: Path) -> Callable[[float], Figures]:
    """One step of an episode for each item, over its HTTP server."""
    templates = [json.dumps({"action": said}).encode() for said in sums(2)]
    return _served(python, "openenv_server.py", templates, "/step", b'"reward":')


def nemo_gym(python: Path) -> Callable[[float], Figures]:
    """One call of `/verify` for each item, over its resources server."""
    templates = [json.dumps(_verify_request(said)).encode() for said in sums(2)]
    return _served(python, "nemo_gym_server.py", templates, "/verify", b'"reward":')


def _verify_request(said: dict[str, str]) -> dict[str, Any]:
    message = {"type": "message", "role": "assistant", "id": "m", "status": "completed"}
    message |= {"content": [{"type": "output_text", "text": said["text"], "annotations": []}]}
    response = {"id": "r", "created_at": 0, "model": "m", "object": "response", "output": [message]}
    response |= {"parallel_tool_calls": False, "tool_choice": "none", "tools": []}
    return {"responses_create_params": {"input": "How much?"}, "response": response, "answer": said["answer"]}


def verifiers(python: Path) -> Callable[[float], Figures]:
    """Traces scored in one process, and written to its file."""

    def measure(seconds: float) -> Figures:
        command = [python, HERE / "peers" / "verifiers_path.py", str(seconds)]
        said = subprocess.run(
            command, input=json.dumps(sums(BATCH)), env=_environment(), check=True, capture_output=True, text=True
        )
        figures: Figures = json.loads(said.stdout.splitlines()[-1])
        assert figures.pop("mean_reward") == 0.5
        return figures

    return measure


def _served(python: Path, program: str, templates: list[bytes], path: str, scored: bytes) -> Callable[[float], Figures]:
    def measure(seconds: float) -> Figures:
        with _server(python, program) as (url, pid):
            asyncio.run(_check(url, templates, path, lambda said: said["reward"]))
            bodies = Bodies(templates[0], 1).numbered()
            return _over_http(url, bodies, SINGLE_STREAMS, seconds, lambda: cpu_s_below(pid), path, scored)

    return measure


@contextmanager
def _server(python: Path, program: str) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([python, HERE / "peers" / program, str(port)], env=_environment(), cwd="/tmp")
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, f"{program} ended"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


async def _check(url: str, right_and_wrong: list[bytes], path: str, reward_of: Callable[[Any], float]) -> None:
    """Raises RuntimeError where a right answer is not paid, or a wrong one is."""
    host, port = url.removeprefix("http://").split(":")
    connection = Connection(host, int(port))
    await connection.open()
    rewards = []
    for number, body in enumerate(right_and_wrong):
        status, said = await connection.ask(body, f"check-{number}", path)
        if status != 200:
            raise RuntimeError(f"status {status}: {said[:500]!r}")
        rewards.append(reward_of(json.loads(said)))
    connection.close()
    if rewards != [1.0, 0.0]:
        raise RuntimeError(f"a right and a wrong answer are rewarded {rewards}")


def _over_http(
    url: str,
    bodies: Iterator[bytes],
    streams: int,
    seconds: float,
    cpu_s: Callable[[], float],
    path: str = "/v1/score",
    scored: bytes = SCORED,
) -> Figures:
    def run(length_s: float) -> Answers:
        end_s = time.perf_counter() + length_s
        return asyncio.run(load(url, bodies, streams, lambda _: time.perf_counter() > end_s, path, scored))

    run(1.0)
    began_s, used_s = time.perf_counter(), cpu_s()
    answers = run(seconds)
    return _figures(answers.items, time.perf_counter() - began_s, cpu_s() - used_s)


def _figures(done: int, took_s: float, cpu_s: float) -> Figures:
    return {"items_per_s": done / took_s, "cpu_ms_per_item": cpu_s / done * 1000}


def _own_cpu_s() -> float:
    return cpu_s_below(os.getpid())


def _paths() -> str:
    return os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))


def _environment() -> dict[str, str]:
    """Of a peer: it finds the verifier, and nothing of ours that is installed beside it."""
    return {**os.environ, "PYTHONPATH": str(HERE)}


def _peers(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[float], Figures]]]:
    for name, module, python, path in (
        ("OpenEnv, HTTP, 1 a request, no record", "openenv", options.openenv, openenv),
        ("NeMo Gym, HTTP, 1 a request, no record", "nemo_gym", options.nemo_gym, nemo_gym),
        ("verifiers, in process, traces.jsonl", "verifiers", options.verifiers, verifiers),
    ):
        if python is None:
            print(f"SKIPPED {name}: no Python of it was named", file=sys.stderr)
        elif subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode:
            print(f"SKIPPED {name}: {python} cannot import {module}", file=sys.stderr)
        else:
            yield name, path(python)


def main() -> None:
    """Take turns, so that all see the same machine, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("openenv", "nemo-gym", "verifiers"):
        parser.add_argument(f"--{name}", type=Path, help="a Python that has it")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    paths: dict[str, Callable[[float], Figures]] = {
        f"Assay, HTTP, {BATCH} a request, durable record": assay(BATCH, BATCH_STREAMS),
        "Assay, HTTP, 1 a request, durable record": assay(1, SINGLE_STREAMS),
        "Assay, HTTP, 1 a request, no record": assay(1, SINGLE_STREAMS, ledger=False),
        "Assay, in process, durable record": assay_in_process,
        **dict(_peers(options)),
    }
    measured: dict[str, list[Figures]] = {name: [] for name in paths}
    for _, (name, measure) in itertools.product(range(options.rounds), paths.items()):
        measured[name].append(measure(options.seconds))
    medians: dict[str, Any] = {
        name: {key: statistics.median(one[key] for one in all_of_it) for key in ("items_per_s", "cpu_ms_per_item")}
        for name, all_of_it in measured.items()
    }
    if options.json:
        print(json.dumps(medians | {"load_average": os.getloadavg()[0]}))
        return
    print(CORES)
    for name, one in medians.items():
        print(f"{name:<45} {one['items_per_s']:>9,.0f} items/s  {one['cpu_ms_per_item']:>7.3f} ms CPU an item")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
