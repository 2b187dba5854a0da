"""Several algorithms from the demo's warm start, with several seeds: held-out accuracy and how soon it passes the bar.

    make demo
    python benchmarks/algorithms.py demo-out --seeds 3

Every run has the demo's tasks, batches and learning rate; only `[algorithm]` (and PPO's `[critic]`) differ. Runs that
are there already are not run again, and those that were interrupted go on: the table can be made in several sittings.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "examples" / "arithmetic" / "grpo.toml"
BAR = 0.6
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t at 95 %, two-sided, by number of seeds."""
ALGORITHMS = {
    "grpo": 'name = "grpo"\nminibatches = 2',
    "dr_grpo": 'name = "dr_grpo"\nminibatches = 2',
    "dapo": 'name = "dapo"\nminibatches = 2',
    "rloo": 'name = "rloo"',
    "ppo": 'name = "ppo"\nminibatches = 2\n\n[critic]\nlr = 1e-3\nwarmup_steps = 5',
}


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="folder of a demo: its warm start and its data are used")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each algorithm (2 to 5)")
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS))
    parser.add_argument("--steps", type=int, default=120, help="a multiple of 20")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, each on one thread")
    options = parser.parse_args()
    runs = [(name, seed) for seed in range(options.seeds) for name in options.algorithms]
    with ThreadPoolExecutor(options.jobs) as pool:
        curves = dict(
            zip(runs, pool.map(lambda run: curve(options.demo.resolve(), *run, options.steps), runs), strict=True)
        )
    print("| algorithm | held-out accuracy, mean [95 %] | of each seed | first step over 60 %, of each seed |")
    print("|---|---|---|---|")
    for name in options.algorithms:
        print(row(name, [curves[name, seed] for seed in range(options.seeds)]))


def curve(demo: Path, name: str, seed: int, steps: int) -> dict[int, float]:
    """Held-out accuracy by step, up to `steps`."""
    run = demo / "algorithms" / f"{name}-{seed}"
    if max(known := accuracies(run), default=0) < steps:
        recipe = re.sub(r"\[algorithm\][^\[]*", f"[algorithm]\n{ALGORITHMS[name]}\n\n", RECIPE.read_text("utf-8"))
        run.parent.mkdir(exist_ok=True)
        config = run.with_suffix(".toml")
        config.write_text(recipe, "utf-8")
        given = {"run.dir": run, "run.seed": seed, "run.threads": 1, "run.steps": steps, "eval.every_steps": 20}
        settings = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
        command = [sys.executable, "-m", "trainer", "run", "--config", str(config), "--spawn-server", *settings]
        subprocess.run(command, cwd=demo, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        known = accuracies(run)
    return {step: accuracy for step, accuracy in known.items() if step <= steps}


def accuracies(run: Path) -> dict[int, float]:
    """What a run has logged so far."""
    log = run / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []
    return {line["step"]: line["held_out/accuracy"] for line in lines if "held_out/accuracy" in line}


def row(name: str, curves: list[dict[int, float]]) -> str:
    """One line of the table."""
    ends = [known[max(known)] for known in curves]
    mean = statistics.mean(ends)
    half = T_95[len(ends)] * statistics.stdev(ends) / len(ends) ** 0.5
    passed = [next((str(step) for step, accuracy in known.items() if accuracy >= BAR), "never") for known in curves]
    each = ", ".join(f"{end:.1%}" for end in ends)
    interval = f"[{max(0, mean - half):.1%}, {min(1, mean + half):.1%}]"
    return f"| `{name}` | {mean:.1%} {interval} | {each} | {', '.join(passed)} |"


if __name__ == "__main__":
    main()
