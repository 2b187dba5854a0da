"""What a training step costs against the tokens it learns from: 1, 2, 4 and 8 times as many.

    python benchmarks/step_cost.py

Forward, backward and optimiser of GRPO on rollouts of random tokens; nothing is sampled. The tokens grow by rows, then
by length at as many rows; attention alone grows with the square of a length. Printed: the least seconds of a few steps,
microseconds a token, the exponent of the best power law, and one JSON line.
"""

import argparse
import json
import math
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from rewarders.types import FinishReason, Message, Task
from trainer.algorithms import Grpo
from trainer.config import ModelSection
from trainer.learner import Learner, StepSettings
from trainer.models import load_policy
from trainer.packing import Cut
from trainer.rollouts import Batch, Rollout, pack
from trainer.samplers import Sample
from trainer.step import train_step
from trainer.tiny import build_tiny_model

TIMES = (1, 2, 4, 8)
GROUP, PROMPT, CHARSET = 8, 24, "0123456789+=abcd"


def rollouts(groups: int, longest: int) -> Batch:
    """Groups of random completions of an eighth of `longest` up to it."""
    draw, found, rewards = random.Random(0), [], []
    task = Task(id="t", prompt=(Message(role="user", content="x"),), rubric="none", reference={})
    for group in range(groups):
        prompt = tuple(draw.randrange(6, 22) for _ in range(PROMPT))
        for index in range(GROUP):
            tokens = tuple(draw.randrange(6, 22) for _ in range(longest * (index + 1) // GROUP))
            sample = Sample(tokens, (-3.0,) * len(tokens), FinishReason.STOP, "0")
            found.append(Rollout(task, prompt, group, index, sample, ""))
            rewards.append(float(index % 2))
    return pack(found, rewards, torch.device("cpu"))


def seconds(learner: Learner, batch: Batch, repeats: int) -> float:
    """Of the quickest step, which is the one that was disturbed least."""
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        train_step(learner, batch)
        spent.append(time.perf_counter() - started)
    return min(spent)


def exponent(rows: list[dict[str, Any]]) -> float:
    """Slope of the logarithm of time over that of tokens: 1 is linear."""
    x, y = ([math.log(row[name]) for row in rows] for name in ("tokens", "seconds"))
    mid_x, mid_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mid_x) * (b - mid_y) for a, b in zip(x, y, strict=True)) / sum((a - mid_x) ** 2 for a in x)


def measured(learner: Learner, name: str, batches: list[Batch], repeats: int) -> dict[str, Any]:
    """One table."""
    train_step(learner, batches[0])  # what is only done once
    rows = []
    for batch in batches:
        tokens, spent = int(batch.length.sum()), seconds(learner, batch, repeats)
        rows.append({"tokens": tokens, "seconds": spent})
        print(f"{name:10} {tokens:>8,} tokens {spent:>8.3f} s {spent / tokens * 1e6:>8.1f} us a token", flush=True)
    print(f"{name:10} grows as tokens ^ {exponent(rows):.2f}")
    return {"name": name, "rows": rows, "exponent": exponent(rows)}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--groups", type=int, default=4, help="of the smallest batch")
    parser.add_argument("--length", type=int, default=64, help="longest completion of the smallest batch")
    parser.add_argument("--micro-batch-tokens", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model"
        build_tiny_model(path, CHARSET, hidden=options.hidden, layers=options.layers, max_positions=8192)
        model = load_policy(ModelSection(path=str(path), device="cpu")).model
    settings = StepSettings(
        algorithm=Grpo(name="grpo"),
        temperature=1.0,
        max_new_tokens=8 * options.length,
        cut=Cut(4096, options.micro_batch_tokens),
        max_grad_norm=1.0,
    )
    learner = Learner(model, torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True), settings)
    by_rows = [rollouts(options.groups * times, options.length) for times in TIMES]
    by_length = [rollouts(options.groups, options.length * times) for times in TIMES]
    found = [
        measured(learner, "rows", by_rows, options.repeats),
        measured(learner, "length", by_length, options.repeats),
    ]
    print(json.dumps({"hidden": options.hidden, "layers": options.layers, "tables": found}))


if __name__ == "__main__":
    main()
