"""Two-digit addition, written out column by column: tasks to learn from, tasks held out, and worked examples.

python examples/arithmetic/tasks.py --out DIR [--seed 0]
"""

import argparse
import json
import random
from pathlib import Path
from typing import Any

CHARSET = "0123456789+=,?<>/abcdefghijklmnopqrstuvwxyz "
DIGITS = 2
HELD_OUT = 400
TRAIN = 7_000
WORKED = 300


def worked(a: int, b: int) -> str:
    """The completion that a careful pupil would write: column by column, from the right, with the carry."""
    steps, carry = [], 0
    for place in range(DIGITS):
        x, y = a // 10**place % 10, b // 10**place % 10
        steps.append(f"{x}+{y}+{carry}={x + y + carry}")
        carry = (x + y + carry) // 10
    return f"<think>{','.join(steps)}</think><answer>{a + b}</answer>"


def question(a: int, b: int) -> dict[str, Any]:
    """One message of a user."""
    return {"role": "user", "content": f"{a}+{b}=?"}


def task(a: int, b: int, split: str) -> dict[str, Any]:
    """A task of the reward service."""
    return {
        "id": f"add-{a}-{b}",
        "prompt": [question(a, b)],
        "rubric": "reasoning.v1",
        "reference": {"answer": str(a + b)},
        "source": "examples/arithmetic",
        "split": split,
    }


def write(folder: Path, seed: int) -> None:
    """Write `tasks.jsonl`, `held_out.jsonl` and `worked.jsonl`. No held-out sum is in the other two."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(10 ** (DIGITS - 1), 10**DIGITS)
    order = random.Random(seed).sample(range(len(numbers) ** 2), HELD_OUT + TRAIN)
    pairs = [(numbers[index // len(numbers)], numbers[index % len(numbers)]) for index in order]
    held_out, train = pairs[:HELD_OUT], pairs[HELD_OUT:]
    conversations = (
        {"messages": [question(a, b), {"role": "assistant", "content": worked(a, b)}]} for a, b in train[:WORKED]
    )
    _write(folder / "held_out.jsonl", (task(a, b, "test") for a, b in held_out))
    _write(folder / "tasks.jsonl", (task(a, b, "train") for a, b in train))
    _write(folder / "worked.jsonl", conversations)


def _write(path: Path, rows: Any) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write(options.out, options.seed)
