"""The benchmark of maths graders runs, with ours alone."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "maths_graders.py"
CASES = [
    {"id": "right", "gold": "1/2", "pred": "The answer is 0.5", "expected": True},
    {"id": "wrong", "gold": "4", "pred": r"\boxed{5}", "expected": False},
    {"id": "long", "gold": "4", "pred": {"prefix": "", "repeat": "(", "times": 9999, "suffix": "4"}, "expected": False},
    {"id": "mislabelled", "gold": "7", "pred": "7", "expected": False},
    {"id": "unlabelled", "gold": "4", "pred": "9^{9^{9}}", "expected": None},
]


def test_the_benchmark_counts_what_our_verifier_makes_of_cases(tmp_path: Path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text("\n".join(map(json.dumps, CASES)))
    command = [sys.executable, str(PROGRAM), str(cases), "--json", "--limit-s", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    ours = report["results"]["ours"]
    counted = ("cases", "labelled", "wrong_accepts", "wrong_rejects", "crashed", "killed")
    assert [ours[name] for name in counted] == [5, 4, 1, 0, 0, 0]
    assert ours["accuracy"] == 0.75
    assert report["misjudged"] == {"ours": {"mislabelled": "accepted"}}


def test_a_case_over_the_limit_is_killed_and_the_next_one_judged(tmp_path: Path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text("\n".join(map(json.dumps, CASES[:2])))
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(cases), "--limit-s", "0", "--list"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = dict(
        line.split() for line in done.stdout.splitlines() if line.startswith(("killed", "cases", "wrong_rejects"))
    )
    assert rows == {"cases": "2", "killed": "2", "wrong_rejects": "1"}
    assert "right: rejected" in done.stdout
