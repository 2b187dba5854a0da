"""How long one GRPO step takes here and in TRL, on the same model, the same prompts and the same reward.

    python benchmarks/trainer_step.py --trl-python /path/to/a/venv/with/trl/bin/python

Both sides sample, grade, take a reference pass (beta > 0), a forward and a backward pass and an optimiser step, in
processes of their own, in turns, with as many threads. The reward is a trivial function inside either process, so that
the trainers are compared and not the service; a step of ours still writes its logs. Printed: medians, their ratio, and
one JSON line. Either side takes the 256 rows in micro-batches of 64.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

PROMPTS, GROUP, NEW_TOKENS, BETA, LR = 16, 16, 32, 0.04, 1e-5
CHARSET = "".join(chr(code) for code in range(33, 123))
PROMPT_CHARACTERS = 20


def prompts(count: int) -> list[str]:
    """Distinct pseudo-random texts of one length, the same on both sides."""
    import random

    draw = random.Random(0)
    return ["".join(draw.choices(CHARSET[:60], k=PROMPT_CHARACTERS)) for _ in range(count)]


def trivial_reward(text: str) -> float:
    """Share of lower-case letters: costs nothing, and differs within every group."""
    return sum(character.islower() for character in text) / max(len(text), 1)


def ours(model: Path, steps: int, directory: Path) -> dict[str, Any]:
    """Whole steps of `trainer run`, timed by its own log."""
    from rich.console import Console

    from trainer.config import TrainConfig
    from trainer.loop import train
    from trainer.record import read_lines

    tasks = directory / "tasks.jsonl"
    lines = [
        {"id": str(i), "prompt": [{"role": "user", "content": text}], "rubric": "none"}
        for i, text in enumerate(prompts(PROMPTS * steps))
    ]
    tasks.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    config = TrainConfig.model_validate(
        {
            "run": {"dir": directory / "run", "steps": steps},
            "model": {"path": str(model)},
            "data": {"tasks": tasks},
            "sampling": {"prompts_per_step": PROMPTS, "group_size": GROUP, "max_new_tokens": NEW_TOKENS},
            "algorithm": {"name": "grpo", "beta": BETA},
            "optim": {"lr": LR},
            "checkpoint": {"every_steps": steps},
        }
    )
    train(config, _InProcessGrader(), Console(quiet=True))
    timings = read_lines(config.run.dir / "timings.jsonl")
    metrics = read_lines(config.run.dir / "metrics.jsonl")
    return {
        "step_s": [line["whole_s"] for line in timings],
        "sample_s": statistics.median(line["sample_s"] for line in timings),
        "train_s": statistics.median(line["train_s"] for line in timings),
        "mean_length": statistics.mean(line["length_mean"] for line in metrics),
    }


class _InProcessGrader:
    def grade(self, rollouts: Sequence[Any], run: object) -> list[Any]:
        from env_server.schemas import ScoredItem, Status

        return [
            ScoredItem(status=Status.SCORED, task_id=rollout.task.id, reward=trivial_reward(rollout.text))
            for rollout in rollouts
        ]


def trl(model: Path, steps: int, directory: Path) -> dict[str, Any]:
    """Whole steps of TRL's GRPOTrainer: from the end of one to the end of the next."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    ends: list[float] = []
    lengths: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: object, **kwargs: object) -> None:
            ends.append(time.perf_counter())

        def on_log(self, *args: object, logs: dict[str, float] | None = None, **kwargs: object) -> None:
            lengths.extend(v for k, v in (logs or {}).items() if k == "completions/mean_length")

    config = GRPOConfig(
        output_dir=str(directory),
        max_steps=steps + 1,
        per_device_train_batch_size=PROMPTS * GROUP // 4,
        gradient_accumulation_steps=4,
        num_generations=GROUP,
        max_completion_length=NEW_TOKENS,
        beta=BETA,
        learning_rate=LR,
        lr_scheduler_type="constant",
        temperature=1.0,
        loss_type="grpo",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    rows = [{"prompt": [{"role": "user", "content": text}]} for text in prompts(PROMPTS * (steps + 1))]
    GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype="float32"),
        processing_class=AutoTokenizer.from_pretrained(model),
        reward_funcs=lambda completions, **_: [trivial_reward(c[0]["content"]) for c in completions],
        args=config,
        train_dataset=Dataset.from_list(rows),
        callbacks=[Clock()],
    ).train()
    return {
        "step_s": [late - early for early, late in pairwise(ends)],
        "mean_length": statistics.mean(lengths),
    }


def measure(python: str, side: str, model: Path, steps: int) -> dict[str, Any]:
    """Run one side in a process of its own and return what it measured, its first step left out as warm-up."""
    with tempfile.TemporaryDirectory() as directory:
        command = [python, __file__, "--side", side, "--model", str(model), "--steps", str(steps + 1)]
        done = subprocess.run([*command, "--directory", directory], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "step_s": found["step_s"][1:]}


def compare(trl_python: str, steps: int, rounds: int, shape: Sequence[int]) -> dict[str, Any]:
    """Both sides in turns, so that whatever else the machine does falls on both."""
    from trainer.tiny import build_tiny_model

    results: dict[str, list[dict[str, Any]]] = {"ours": [], "trl": []}
    with tempfile.TemporaryDirectory() as directory:
        model = Path(directory) / "model"
        build_tiny_model(model, CHARSET, *shape)
        for _ in range(rounds):
            results["ours"].append(measure(sys.executable, "ours", model, steps))
            results["trl"].append(measure(trl_python, "trl", model, steps))
    return {side: _joined(parts) for side, parts in results.items()}


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = [second for part in parts for second in part["step_s"]]
    others = {key: statistics.median(part[key] for part in parts) for key in parts[0] if key != "step_s"}
    return {
        "median_step_s": statistics.median(seconds),
        "fastest_step_s": min(seconds),
        "steps": len(seconds),
        **others,
    }


def main() -> None:
    """Compare, or be one of the sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trl-python", help="interpreter that can import trl")
    parser.add_argument("--steps", type=int, default=8, help="timed steps in each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--shape", type=int, nargs=3, default=(192, 5, 6), metavar=("HIDDEN", "LAYERS", "HEADS"),
        help="of the model; 2.4 M weights unless given, and 128 3 4 is the demo's",
    )  # fmt: skip
    parser.add_argument("--side", choices=["ours", "trl"], help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps({"ours": ours, "trl": trl}[args.side](args.model, args.steps, args.directory)))
        return
    if not args.trl_python:
        parser.error("--trl-python is needed: TRL wants an environment of its own")
    found = compare(args.trl_python, args.steps, args.rounds, args.shape)
    ratio = found["ours"]["median_step_s"] / found["trl"]["median_step_s"]
    print(f"{'':6}{'median step':>14}{'fastest':>12}{'mean length':>14}")
    for side, values in found.items():
        print(
            f"{side:6}{values['median_step_s']:12.3f} s{values['fastest_step_s']:10.3f} s{values['mean_length']:14.1f}"
        )
    print(f"ratio of medians {ratio:.2f}")
    print(json.dumps({**found, "ratio": ratio}))


if __name__ == "__main__":
    main()
