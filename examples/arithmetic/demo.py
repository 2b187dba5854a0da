"""The whole loop on one machine: build, warm-start, serve, train on rewards, judge, report.

    make demo          or          python examples/arithmetic/demo.py --out demo-out

Builds a tiny transformer and a character tokenizer, shows it 300 worked sums, then lets it practise on 7,000 others
with nothing but the reward service's verdicts to learn from. Everything it prints and keeps is under `--out`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks import CHARSET, write

from trainer.tiny import build_tiny_model

HERE = Path(__file__).parent


def main() -> None:
    """Run the demo from nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="folder of the demo; emptied first")
    parser.add_argument("--quick", action="store_true", help="two steps of each stage: does it work at all?")
    options = parser.parse_args()
    out: Path = options.out.resolve()
    few = ["--set", "sft.steps=2"] if options.quick else []
    short = ["--set", "run.steps=2", "--set", "eval.limit=20"] if options.quick else []
    _empty(out)
    start = time.monotonic()

    with stage("1/6  a tiny transformer, a character tokenizer, and sums to learn from"):
        build_tiny_model(out / "model", CHARSET, hidden=128, layers=3, heads=4, max_positions=128)
        write(out / "data", seed=0)
    with stage("2/6  warm start: supervised fine-tuning on 300 worked sums"):
        trainer(out, "sft", "--config", HERE / "sft.toml", *few)
    with stage("3/6  before: the warm start on 400 held-out sums"):
        before = judge(out, "before.json", *short)
    with stage("4/6  GRPO against the reward service"):
        trainer(out, "run", "--config", HERE / "grpo.toml", "--spawn-server", *short)
    with stage("5/6  after: the trained model on the same 400 sums"):
        after = judge(out, "after.json", "--checkpoint", "run", *short)
    with stage("6/6  report"):
        trainer(
            out, "report", "--run", "run", "--out", "report.html", "--before", "before.json", "--after", "after.json"
        )
    print(f"\n{table(before, after)}")
    print(f"\n{time.monotonic() - start:.0f} s in all. Curves and rollouts: {out / 'report.html'}")
    print(f"Every reward is on record: env-server audit verify --data-dir {out / 'run' / 'server'}")


def trainer(out: Path, *arguments: object) -> None:
    """Run one `trainer` command in the demo's folder, its output shown as it comes."""
    subprocess.run([sys.executable, "-m", "trainer", *map(str, arguments)], cwd=out, check=True)


def judge(out: Path, name: str, *arguments: object) -> dict[str, Any]:
    """Held-out accuracy of a model; kept as JSON for the report."""
    command = [sys.executable, "-m", "trainer", "eval", "--config", HERE / "grpo.toml", "--spawn-server", "--json"]
    done = subprocess.run([*map(str, command), *map(str, arguments)], cwd=out, check=True, stdout=subprocess.PIPE)
    (out / name).write_bytes(done.stdout)
    judged: dict[str, Any] = json.loads(done.stdout)
    return judged


def table(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Before and after, side by side."""
    rows = [("held-out sums", "before", "after"), ("accuracy", accuracy(before), accuracy(after))]
    rows.append(("reward", f"{before['reward']:.3f}", f"{after['reward']:.3f}"))
    for name, mean in before["components"].items():
        rows.append((f"  {name}", f"{mean:.3f}", f"{after['components'][name]:.3f}"))
    return "\n".join(f"{name:<22}{left:>24}{right:>24}" for name, left, right in rows)


def accuracy(judged: dict[str, Any]) -> str:
    """A share with its 95 % interval."""
    return f"{judged['accuracy']:.1%} [{judged['low']:.1%}, {judged['high']:.1%}]"


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Announce a stage, and say how long it took."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    yield
    print(f"   {time.monotonic() - start:.0f} s", flush=True)


def _empty(out: Path) -> None:
    """Only a folder that a demo made is emptied."""
    marker = out / ".assay-demo"
    if out.exists() and any(out.iterdir()) and not marker.exists():
        sys.exit(f"{out} holds something else than a demo; give another folder to --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    marker.touch()


if __name__ == "__main__":
    main()
