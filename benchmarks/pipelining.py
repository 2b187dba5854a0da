"""How many steps a pipelined run takes in the time of one that draws, grades and learns in turn, and what it learns.

    python benchmarks/pipelining.py --seeds 5

A tiny model learns to write even digits. The grader is a rewarder in a real service, with one worker process, that
waits a while for each completion; a short run without waiting first tells how long sampling takes, and the wait is set
so that grading takes as long. Runs of both kinds take turns, whole `trainer run`s each. Printed: steps a second of
either kind and their ratio, seed by seed; the mean reward of each fifth of the steps; the mean difference of the last
fifth with a 95 % interval (Student's t over seeds); one JSON line.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

PROMPTS, GROUP, NEW_TOKENS, FIFTHS = 4, 8, 96, 5
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Student's t for a two-sided 95 % interval, by the number of seeds."""
REWARDER = f'''
import time

from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


class Patience(BaseModel):
    """How long to wait."""

    wait_s: float = 0.0


@rewarder("bench.patient", version="1.0", params=Patience)
def patient(completion: Completion, reference: None, params: Patience) -> Verdict:
    """Share of even digits in a completion of full length, after a wait."""
    time.sleep(params.wait_s)
    return Verdict(score=min(1.0, sum(each in "02468" for each in completion.text) / {NEW_TOKENS}), reason="counted")
'''
SERVER = """
[plugins]
load = []
modules = ["patient"]
[workers]
processes = 1
[rubrics."patient.v1"]
parts = [{{ rewarder = "bench.patient", params = {{ wait_s = {wait_s} }} }}]
"""
RUN = """
[run]
dir = "run"
seed = {seed}
steps = {steps}
threads = 1
rollouts_kept = 0
[model]
path = "model"
device = "cpu"
[data]
tasks = "tasks.jsonl"
[sampling]
prompts_per_step = {prompts}
group_size = {group}
max_new_tokens = {new_tokens}
[algorithm]
name = "grpo"
[correction]
kind = "truncate"
[optim]
lr = 3e-3
[checkpoint]
every_steps = {steps}
[grading]
server_config = "server.toml"
"""


def run(directory: Path, seed: int, steps: int, wait_s: float, pipeline: str = "") -> dict[str, Any]:
    """One whole run: its steps a second from the second step on, its phases, and its rewards."""
    from trainer.log_lines import read_lines
    from trainer.tiny import build_tiny_model

    directory.mkdir(parents=True)
    build_tiny_model(directory / "model", "0123456789", hidden=32, layers=2, heads=2)
    rows = [
        {"id": f"{n}", "prompt": [{"role": "user", "content": f"{n:02}"}], "rubric": "patient.v1"} for n in range(50)
    ]
    (directory / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "patient.py").write_text(REWARDER)
    (directory / "server.toml").write_text(SERVER.format(wait_s=wait_s))
    shape = {"prompts": PROMPTS, "group": GROUP, "new_tokens": NEW_TOKENS}
    (directory / "run.toml").write_text(RUN.format(seed=seed, steps=steps, **shape) + pipeline)
    command = [sys.executable, "-m", "trainer", "run", "--config", "run.toml", "--spawn-server"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"a run failed:\n{done.stderr[-3000:]}")
    timings = read_lines(directory / "run" / "timings.jsonl")[1:]
    metrics = read_lines(directory / "run" / "metrics.jsonl")
    return {
        "steps_per_s": len(timings) / sum(line["whole_s"] for line in timings),
        **{name: statistics.median(line[name] for line in timings) for name in ("sample_s", "grade_s", "train_s")},
        "reward": [line["reward_mean"] for line in metrics],
        "staleness": statistics.mean(line.get("staleness_mean", 0.0) for line in metrics),
    }


def compare(seeds: int, steps: int, pipeline: str) -> dict[str, Any]:
    """Both kinds, seed by seed, with a wait that makes grading as long as sampling."""
    results: dict[str, list[dict[str, Any]]] = {"in turn": [], "pipelined": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            root = Path(folder) / str(seed)
            probe = run(root / "probe", seed, 8, 0.0)
            wait_s = max(0.0, (probe["sample_s"] - probe["grade_s"]) / (PROMPTS * GROUP))
            results["in turn"].append(run(root / "in-turn", seed, steps, wait_s))
            results["pipelined"].append(run(root / "pipelined", seed, steps, wait_s, pipeline))
            turn, ahead = (results[kind][-1] for kind in results)
            print(
                f"seed {seed}: sampling {turn['sample_s']:.3f} s, grading {turn['grade_s']:.3f} s, "
                f"learning {turn['train_s']:.3f} s; steps a second {turn['steps_per_s']:.2f} in turn, "
                f"{ahead['steps_per_s']:.2f} pipelined: {ahead['steps_per_s'] / turn['steps_per_s']:.2f} times"
            )
    return {"pipeline": pipeline.split(), **summary(results)}


def summary(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Ratios of speed, curves in fifths, and how far the ends of the curves are apart."""
    pairs = list(zip(results["in turn"], results["pipelined"], strict=True))
    ratios = [ahead["steps_per_s"] / turn["steps_per_s"] for turn, ahead in pairs]
    curves = {kind: [fifths(run["reward"]) for run in runs] for kind, runs in results.items()}
    ends = [ahead[-1] - turn[-1] for turn, ahead in zip(curves["in turn"], curves["pipelined"], strict=True)]
    half = T_95[len(ends)] * statistics.stdev(ends) / math.sqrt(len(ends))
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "curves": {kind: [statistics.mean(part) for part in zip(*each, strict=True)] for kind, each in curves.items()},
        "difference": statistics.mean(ends),
        "interval": [statistics.mean(ends) - half, statistics.mean(ends) + half],
        "staleness": statistics.mean(run["staleness"] for run in results["pipelined"]),
    }


def fifths(rewards: Sequence[float]) -> list[float]:
    """The mean of each fifth."""
    edges = [len(rewards) * part // FIFTHS for part in range(FIFTHS + 1)]
    return [statistics.mean(rewards[start:end]) for start, end in pairwise(edges)]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, choices=range(2, 11))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--staleness", type=int, default=2)
    parser.add_argument("--stragglers", type=int, default=0)
    args = parser.parse_args()
    pipeline = f"[pipeline]\nmax_staleness = {args.staleness}\nstragglers = {args.stragglers}\n"
    found = compare(args.seeds, args.steps, pipeline)
    for kind, curve in found["curves"].items():
        print(f"{kind:10} reward {' '.join(f'{part:.3f}' for part in curve)}")
    low, high = found["interval"]
    print(f"steps: {found['ratio']:.2f} times (median), mean staleness {found['staleness']:.2f}")
    print(f"last fifth: {found['difference']:+.4f} [{low:+.4f}, {high:+.4f}]")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
