"""How many steps a pipelined run takes in the time of one that draws, grades and learns in turn, and what it learns.

    python benchmarks/pipelining.py --seeds 5

A tiny model learns to write even digits. The grader is a rewarder in a real service, with one worker process, that
waits a while for each completion: every moment the wait is set anew, so that grading takes as long as sampling does,
whatever else the machine is doing. Two whole `trainer run`s, one of either kind, go side by side but never at once:
for seconds at a time one is held where it is graded and the other goes on, so that both meet the same machine. Steps
count from the fifth after such a change, when what was ready is used up. A run that is complete leaves the rest of the
time to the other, which is not counted.

Printed, seed by seed: what a step's parts took in turn, steps a second of either kind, their ratio, and the best that
ratio could be with those parts: (S + G + T) / max(S, G, T), or max(S + T, G) where learning and sampling share the only
core. Then the median of the ratios and the interval of their mean; the mean reward of each fifth of the steps; how far
the curves are apart, over all steps and in the last fifth; one JSON line. Intervals are of 95 %, by Student over seeds.
"""

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

PROMPTS, GROUP, NEW_TOKENS, FIFTHS = 4, 8, 192, 5
ROWS, LATEST, SKIPPED, PERIOD_S = PROMPTS * GROUP, 5, 4, 4.0
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Student's t for a two-sided 95 % interval, by the number of seeds."""
REWARDER = f'''
import time
from pathlib import Path

from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


class Patience(BaseModel):
    """How long to wait."""

    file: str
    """Holds the seconds for each completion; it changes during a run."""


@rewarder("bench.patient", version="1.0", params=Patience)
def patient(completion: Completion, reference: None, params: Patience) -> Verdict:
    """Share of even digits in a completion of full length, after a wait, and not while it is held."""
    while (wait := Path(params.file).read_text()) == "hold":
        time.sleep(0.005)
    time.sleep(float(wait))
    return Verdict(score=min(1.0, sum(each in "02468" for each in completion.text) / {NEW_TOKENS}), reason="counted")
'''
SERVER = """
[plugins]
load = []
modules = ["patient"]
[workers]
processes = 1
[rubrics."patient.v1"]
parts = [{{ rewarder = "bench.patient", params = {{ file = "{file}" }} }}]
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
lr = 1e-3
[checkpoint]
every_steps = {steps}
[grading]
server_config = "server.toml"
"""


class Run:
    """One `trainer run`, with the rewarder's waiting in our hands."""

    def __init__(self, directory: Path, seed: int, steps: int, pipeline: str = "") -> None:
        """Start it, held at its first grading."""
        from trainer.tiny import build_tiny_model

        directory.mkdir(parents=True)
        self.directory, self.counted = directory, list[dict[str, float]]()
        self._file, self._seen, self._skip = directory / "wait", 0, SKIPPED
        self.hold()
        build_tiny_model(directory / "model", "0123456789", hidden=32, layers=2, heads=2)
        rows = [
            {"id": f"{n}", "prompt": [{"role": "user", "content": f"{n:02}"}], "rubric": "patient.v1"}
            for n in range(50)
        ]
        (directory / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (directory / "patient.py").write_text(REWARDER)
        (directory / "server.toml").write_text(SERVER.format(file=self._file))
        shape = {"prompts": PROMPTS, "group": GROUP, "new_tokens": NEW_TOKENS}
        (directory / "run.toml").write_text(RUN.format(seed=seed, steps=steps, **shape) + pipeline)
        command = [sys.executable, "-m", "trainer", "run", "--config", "run.toml", "--spawn-server"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), os.environ.get("PYTHONPATH", "")])}
        self._said = (directory / "said").open("w+")
        self.process = subprocess.Popen(command, cwd=directory, env=environment, stdout=self._said, stderr=self._said)

    def hold(self) -> None:
        """Grade nothing more for now."""
        self._skip = SKIPPED
        self._write("hold")

    def wait_each(self, seconds: float) -> None:
        """Grade, and wait so long for each completion."""
        self._write(f"{seconds:.6f}")

    def _write(self, text: str) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self._file)  # at once: the rewarder reads it at any moment

    def going(self) -> bool:
        """Whether it has something left to do. Raises SystemExit if it failed."""
        if self.process.poll():
            self._said.seek(0)
            raise SystemExit(f"a run failed:\n{self._said.read()[-3000:]}")
        return self.process.returncode is None

    def look(self, *, counts: bool = True) -> list[dict[str, float]]:
        """Steps since the last look that are not among the first after a hold; those count, if they may."""
        from trainer.log_lines import read_lines

        path = self.directory / "run" / "timings.jsonl"
        new = read_lines(path)[self._seen :] if path.exists() else []
        self._seen += len(new)
        undisturbed = new[self._skip :]
        self._skip = max(0, self._skip - len(new))
        self.counted += undisturbed if counts else []
        return undisturbed

    def found(self) -> dict[str, Any]:
        """Steps a second, the parts of a step, rewards."""
        from trainer.log_lines import read_lines

        self._said.close()
        metrics = read_lines(self.directory / "run" / "metrics.jsonl")
        parts = ("sample_s", "grade_s", "train_s")
        return {
            "steps_per_s": len(self.counted) / sum(step["whole_s"] for step in self.counted),
            "counted": len(self.counted),
            **{name: statistics.median(step[name] for step in self.counted) for name in parts},
            "reward": [step["reward_mean"] for step in metrics],
            "staleness": statistics.mean(step.get("staleness_mean", 0.0) for step in metrics),
        }


class Patience:
    """The wait that makes grading as long as sampling was in the last few steps of the run in turn."""

    def __init__(self) -> None:
        self.wait_s, self._beyond_s = 0.0, 0.0
        self._latest: deque[float] = deque(maxlen=LATEST)

    def learn(self, steps: Sequence[dict[str, float]]) -> None:
        """From steps of a run in turn: how long they sampled, and what grading takes beyond the waiting."""
        for step in steps:
            self._beyond_s += (max(0.0, step["grade_s"] - ROWS * self.wait_s) - self._beyond_s) / LATEST
            self._latest.append(step["sample_s"])
        if steps:
            self.wait_s = max(0.0, statistics.median(self._latest) - self._beyond_s) / ROWS


def side_by_side(turn: Run, ahead: Run) -> None:
    """Let one go on and then the other, until both are complete."""
    patience, active, held = Patience(), turn, ahead
    try:
        while turn.going() or ahead.going():
            until, both = time.monotonic() + PERIOD_S, turn.going() and ahead.going()
            active.wait_each(patience.wait_s)
            while active.going() and time.monotonic() < until:
                time.sleep(0.005)
                new = active.look(counts=both)
                if active is turn:
                    patience.learn(new)
                active.wait_each(patience.wait_s)
            if held.going():
                active.hold()
                active, held = held, active
    finally:
        for run in (turn, ahead):
            run.process.terminate()
            run.process.wait()


def compare(seeds: int, steps: int, pipeline: str) -> dict[str, Any]:
    """Both kinds, seed by seed."""
    results: dict[str, list[dict[str, Any]]] = {"in turn": [], "pipelined": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            runs = {
                kind: Run(Path(folder) / f"{seed} {kind}", seed, steps, section)
                for kind, section in (("in turn", ""), ("pipelined", pipeline))
            }
            side_by_side(*runs.values())
            for kind, run in runs.items():
                results[kind].append(run.found())
            print(line(seed, *(results[kind][-1] for kind in results)), flush=True)
    return {"pipeline": pipeline.split(), **summary(results)}


def line(seed: int, turn: dict[str, Any], ahead: dict[str, Any]) -> str:
    """What one seed came to."""
    from trainer.pipeline.turns import cores_suffice

    sampling, grading, learning = (turn[name] for name in ("sample_s", "grade_s", "train_s"))
    computing = max(sampling, learning) if cores_suffice(threads=1) else sampling + learning
    best = (sampling + grading + learning) / max(computing, grading)
    return (
        f"seed {seed}: sampling {sampling:.3f} s, grading {grading:.3f} s, learning {learning:.3f} s; steps a second "
        f"{turn['steps_per_s']:.2f} in turn, {ahead['steps_per_s']:.2f} pipelined: "
        f"{ahead['steps_per_s'] / turn['steps_per_s']:.2f} times, at best {best:.2f}"
    )


def summary(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Ratios of speed, curves in fifths, and how far the curves are apart."""
    pairs = list(zip(results["in turn"], results["pipelined"], strict=True))
    ratios = [ahead["steps_per_s"] / turn["steps_per_s"] for turn, ahead in pairs]
    curves = {kind: [fifths(run["reward"]) for run in runs] for kind, runs in results.items()}
    ends = [ahead[-1] - turn[-1] for turn, ahead in zip(curves["in turn"], curves["pipelined"], strict=True)]
    wholes = [statistics.mean(ahead["reward"]) - statistics.mean(turn["reward"]) for turn, ahead in pairs]
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "ratio_interval": [math.exp(end) for end in interval([math.log(ratio) for ratio in ratios])],
        "grading_over_sampling": [turn["grade_s"] / turn["sample_s"] for turn, _ in pairs],
        "curves": {kind: [statistics.mean(part) for part in zip(*each, strict=True)] for kind, each in curves.items()},
        "whole": {"difference": statistics.mean(wholes), "interval": interval(wholes)},
        "last_fifth": {"difference": statistics.mean(ends), "interval": interval(ends)},
        "staleness": statistics.mean(run["staleness"] for run in results["pipelined"]),
    }


def interval(values: Sequence[float]) -> list[float]:
    """Of the mean, at 95 %."""
    mean, half = statistics.mean(values), T_95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return [mean - half, mean + half]


def fifths(rewards: Sequence[float]) -> list[float]:
    """The mean of each fifth."""
    edges = [len(rewards) * part // FIFTHS for part in range(FIFTHS + 1)]
    return [statistics.mean(rewards[start:end]) for start, end in pairwise(edges)]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, choices=range(2, 11))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--staleness", type=int, default=2)
    parser.add_argument("--stragglers", type=int, default=0)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the runs end too
    pipeline = f"[pipeline]\nmax_staleness = {args.staleness}\nstragglers = {args.stragglers}\n"
    found = compare(args.seeds, args.steps, pipeline)
    for kind, curve in found["curves"].items():
        print(f"{kind:10} reward {' '.join(f'{part:.3f}' for part in curve)}")
    low, high = found["ratio_interval"]
    print(f"steps: {found['ratio']:.2f} times (median), mean in [{low:.2f}, {high:.2f}]", end="; ")
    print(f"mean staleness {found['staleness']:.2f}")
    for name in ("whole", "last_fifth"):
        low, high = found[name]["interval"]
        print(f"reward, {name.replace('_', ' ')}: {found[name]['difference']:+.4f} [{low:+.4f}, {high:+.4f}]")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
