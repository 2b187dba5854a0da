"""How long one GRPO step takes here and in TRL, on the same model and the same prompts, with ragged completions.

    python benchmarks/trainer_vs_trl.py [--steps 6] [--rounds 3] [--http] [--vllm --python OTHER_VENV/bin/python]

A model of random weights ends a completion with about the same chance at every token, so that lengths are spread
geometrically from 1 to the limit of 256: 5 % are shorter than 5 tokens and 5 % are cut off. Both sides sample, reward,
go forward and back and step the optimiser, in processes of their own, in turns, with as many threads and the same
micro-batches; see `trainer_sides`. The first step of each process is left out. Printed: medians over all steps, their
ratio, memory, and one JSON line.

`--http` adds ours with rewards from a reward service of its own process, ledger included; TRL's stay a function.
`--vllm` lets both sample with vLLM inside the process, in an interpreter that has both packages.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer_sides import CHARSET, Workload, measured

MIB, QUANTILES = 2**20, (0, 0.05, 0.5, 0.95, 1)


def joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all rounds of a side come to."""
    steps = [seconds for part in parts for seconds in part["step_s"]]
    tokens = [count for part in parts for count in part["tokens"]]
    lengths = sorted(length for part in parts for length in part["lengths"])
    names = dict.fromkeys(name for part in parts for name in part.get("parts", {}))
    return {
        "median_step_s": statistics.median(steps),
        "fastest_step_s": min(steps),
        "median_cpu_s": statistics.median([s for part in parts for s in part["cpu_s"]] or [float("nan")]),
        "tokens_per_second": sum(tokens) / sum(steps),
        "memory_mib": max(part["memory_bytes"] for part in parts) / MIB,
        "steps": len(steps),
        "length_mean": statistics.fmean(lengths) if lengths else None,
        "lengths": [lengths[round(share * (len(lengths) - 1))] for share in (0, 0.05, 0.5, 0.95, 1)]
        if lengths
        else None,
        "parts_s": {name: statistics.median(s for part in parts for s in part["parts"][name]) for name in names},
    }


def compare(work: Workload, rounds: int, *, http: bool, python: str) -> dict[str, dict[str, Any]]:
    """All sides in turns, so that whatever else the machine does falls on each of them."""
    sides = {"ours": work, "trl": work} | ({"ours_http": replace(work, http=True)} if http else {})
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for turn in range(rounds):
        for side, asked in sides.items():
            found[side].append(measured(side.removesuffix("_http"), asked, python))
            print(f"round {turn + 1}, {side}: {statistics.median(found[side][-1]['step_s']):.3f} s", file=sys.stderr)
    return {side: joined(parts) for side, parts in found.items()}


def show(found: dict[str, dict[str, Any]]) -> None:
    """A table on stdout."""
    print(f"{'':10}{'median':>11}{'fastest':>11}{'CPU time':>11}{'tokens/s':>10}{'memory':>12}{'length, mean':>14}")
    for side, values in found.items():
        length = f"{values['length_mean']:.1f}" if values["length_mean"] else "-"
        seconds = "".join(f"{values[name]:9.3f} s" for name in ("median_step_s", "fastest_step_s", "median_cpu_s"))
        print(f"{side:10}{seconds}{values['tokens_per_second']:10,.0f}{values['memory_mib']:8.0f} MiB{length:>14}")
    ours, trl = found["ours"], found["trl"]
    print(f"ours / TRL: {ours['median_step_s'] / trl['median_step_s']:.2f} of the time, ", end="")
    print(f"{ours['median_cpu_s'] / trl['median_cpu_s']:.2f} of the CPU time, ", end="")
    print(f"{ours['memory_mib'] / trl['memory_mib']:.2f} of the memory")


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6, help="timed steps in each process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--new-tokens", type=int, default=256)
    parser.add_argument("--micro-batch", type=int, default=16)
    parser.add_argument("--beta", type=float, default=0.0)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--vllm", action="store_true")
    parser.add_argument("--python", default=sys.executable, help="interpreter of both sides")
    parser.add_argument(
        "--shape", type=int, nargs=3, default=(192, 5, 6), metavar=("HIDDEN", "LAYERS", "HEADS"),
        help="of the model; 2.2 M weights unless given",
    )  # fmt: skip
    args = parser.parse_args()
    from trainer.tiny import build_tiny_model

    with tempfile.TemporaryDirectory() as directory:
        build_tiny_model(Path(directory) / "model", CHARSET, *args.shape)
        work = Workload(
            model=str(Path(directory) / "model"),
            steps=args.steps,
            prompts=args.prompts,
            group=args.group,
            new_tokens=args.new_tokens,
            micro_batch=args.micro_batch,
            beta=args.beta,
            threads=args.threads,
            vllm=args.vllm,
        )
        found = compare(work, args.rounds, http=args.http, python=args.python)
    show(found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
