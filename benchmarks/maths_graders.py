"""Our maths verifier against Math-Verify: the same labelled cases, in one run, one process each on one core.

A line of CASES is a JSON object with `id`, `gold`, `pred` and `expected` (true, false, or null where only survival
counts). A `gold` or `pred` may be an object {prefix, repeat, times, suffix} that stands for a long text. The peer
wants an environment of its own: python -m venv PEER && PEER/bin/pip install math-verify==0.9.0

    python benchmarks/maths_graders.py CASES.jsonl [--peer-python PEER/bin/python] [--list] [--json]
"""

import argparse
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("maths_grader_worker.py")
START_LIMIT_S = 60.0


@dataclass(frozen=True)
class Case:
    """A pair to judge and its label."""

    id: str
    gold: str
    pred: str
    expected: bool | None


@dataclass(frozen=True)
class Outcome:
    """What a grader made of a case."""

    case: Case
    accepted: bool
    wall_s: float
    peak_bytes: int = 0
    ending: str = "verdict"
    """`verdict`, `killed` for a case over the limit, or `crashed` where the grader ended itself."""

    @property
    def is_right(self) -> bool:
        """Whether it is what the label says. A grader that died accepted nothing."""
        return self.accepted == self.case.expected


@dataclass
class Worker:
    """A grader in a process of its own, which is replaced when a case takes too long or ends it."""

    name: str
    python: str
    limit_s: float
    import_s: float = 0.0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def judge(self, case: Case) -> Outcome:
        """One case, however it ends."""
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"gold": case.gold, "pred": case.pred}).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer tells
        start = time.perf_counter()
        reply = _line(process, self.limit_s)
        wall_s = time.perf_counter() - start
        if reply and wall_s < self.limit_s:  # one that was there late, when this process looked late, is late
            return Outcome(case, **json.loads(reply))
        self.close()
        return Outcome(case, accepted=False, wall_s=wall_s, ending="killed" if wall_s >= self.limit_s else "crashed")

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        command = [self.python, str(WORKER), self.name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        ready = _line(self._process, START_LIMIT_S)
        if not ready:
            self.close()
            raise SystemExit(f"{self.name} does not start; look at what `{' '.join(command)}` prints")
        self.import_s = json.loads(ready)["import_s"]
        return self._process


def _line(process: subprocess.Popen[bytes], limit_s: float) -> bytes:
    """The next line; empty if none comes in time. A worker writes a line in one piece."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], limit_s)
    return process.stdout.readline() if ready else b""


def read_cases(lines: Iterable[str]) -> list[Case]:
    """All cases, with long texts written out."""
    rows = [json.loads(line) for line in lines if line.strip()]
    return [Case(str(row["id"]), _text(row["gold"]), _text(row["pred"]), row.get("expected")) for row in rows]


def _text(written: str | dict[str, Any]) -> str:
    if isinstance(written, str):
        return written
    return str(written["prefix"]) + written["repeat"] * written["times"] + written["suffix"]


def figures(outcomes: Sequence[Outcome], import_s: float) -> dict[str, float]:
    """What is printed of a grader. Accuracies are of the labelled cases, times of all of them."""
    labelled = [outcome for outcome in outcomes if outcome.case.expected is not None]
    right = [outcome for outcome in labelled if outcome.is_right]
    wrong = [outcome for outcome in labelled if not outcome.is_right]
    walls = sorted(outcome.wall_s for outcome in outcomes)
    return {
        "cases": len(outcomes),
        "labelled": len(labelled),
        "accuracy": len(right) / max(1, len(labelled)),
        "wrong_accepts": sum(outcome.accepted for outcome in wrong),
        "wrong_rejects": sum(not outcome.accepted for outcome in wrong),
        "right_inside_1s": sum(outcome.wall_s < 1.0 for outcome in right) / max(1, len(labelled)),
        "crashed": sum(outcome.ending == "crashed" for outcome in outcomes),
        "killed": sum(outcome.ending == "killed" for outcome in outcomes),
        "slowest_s": walls[-1],
        "p50_ms": 1e3 * walls[len(walls) // 2],
        "p99_ms": 1e3 * walls[len(walls) * 99 // 100],
        "checks_per_s": len(walls) / sum(walls),
        "import_s": import_s,
        "peak_mb": max(outcome.peak_bytes for outcome in outcomes) / 1e6,
    }


def run(worker: Worker, cases: Sequence[Case]) -> list[Outcome]:
    """All cases through one grader, with a line on stderr now and then."""
    outcomes = []
    try:
        for count, case in enumerate(cases, 1):
            outcomes.append(worker.judge(case))
            if count % 100 == 0:
                print(f"{worker.name}: {count} of {len(cases)}", file=sys.stderr)
    finally:
        worker.close()
    return outcomes


def show(results: dict[str, dict[str, float]]) -> None:
    """A table with a column for each grader, and how many times as fast ours is."""
    names = list(results)
    print(f"{'':<16}" + "".join(f"{name:>14}" for name in names))
    for figure in results[names[0]]:
        print(f"{figure:<16}" + "".join(f"{results[name][figure]:>14,.4g}" for name in names))
    if len(names) > 1:
        ratio = results["ours"]["checks_per_s"] / results["math-verify"]["checks_per_s"]
        print(f"ours makes {ratio:.1f} times as many checks a second")


def main() -> None:
    """Run both graders and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path, metavar="CASES.jsonl")
    parser.add_argument("--peer-python", help="interpreter with math-verify; without it only ours runs")
    parser.add_argument("--limit-s", type=float, default=10.0, help="a case that takes longer is killed")
    parser.add_argument("--list", action="store_true", help="name the cases that are judged wrongly")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cases = read_cases(options.cases.read_text("utf-8").splitlines())
    if not cases:
        parser.error(f"{options.cases} has no cases; give it one JSON object a line")
    interpreters = {"ours": sys.executable} | ({"math-verify": options.peer_python} if options.peer_python else {})
    results, misjudged = {}, {}
    for name, python in interpreters.items():
        worker = Worker(name, python, options.limit_s)
        outcomes = run(worker, cases)
        results[name] = figures(outcomes, worker.import_s)
        wrong = [outcome for outcome in outcomes if outcome.case.expected is not None and not outcome.is_right]
        misjudged[name] = {outcome.case.id: "accepted" if outcome.accepted else "rejected" for outcome in wrong}
    if options.json:
        print(json.dumps({"results": results, "misjudged": misjudged}, ensure_ascii=False))
        return
    show(results)
    for name, verdicts in misjudged.items() if options.list else ():
        print(f"\n{name} judges wrongly:", *(f"  {case}: {verdict}" for case, verdict in verdicts.items()), sep="\n")


if __name__ == "__main__":
    main()
