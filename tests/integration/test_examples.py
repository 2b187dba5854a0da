"""The examples, run as their own documentation says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOLVED = {
    "6b_finetuning": ("so 2 + 3 = 5\nA: 5", True),
    "6b_verification": ("so 2 * 3 = 6\nA: 6", False),
    "175b_finetuning": ("so it is $5.00\nA: 5.00", True),
    "175b_verification": ("five, or 1,005\nA: 1,005", False),
}


def run(*command: object, cwd: Path, code: int = 0) -> str:
    done = subprocess.run([sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def labelled_problem(**labels: bool) -> dict[str, object]:
    models = {name: {"solution": text, "is_correct": labels.get(name, right)} for name, (text, right) in SOLVED.items()}
    return {"question": "2 and 3?", "ground_truth": "2 + 3 = <<2+3=5>>5\nA: 5", **models}


@pytest.mark.parametrize(("mislabelled", "code"), [({}, 0), ({"6b_verification": True}, 1)])
def test_the_gsm8k_example_converts_scores_and_compares(tmp_path: Path, mislabelled: dict[str, bool], code: int):
    (tmp_path / "solutions.jsonl").write_text(json.dumps(labelled_problem(**mislabelled)) + "\n")
    example = ROOT / "examples/gsm8k_solutions.py"
    run(example, "convert", "solutions.jsonl", "--out", "items.jsonl", cwd=tmp_path)
    run("-m", "env_server", "score", "items.jsonl", "--out", "results.jsonl", cwd=tmp_path)
    said = run(example, "compare", "items.jsonl", "results.jsonl", "solutions.jsonl", cwd=tmp_path, code=code)
    assert f"agreement {100 - 25 * len(mislabelled)}.00%" in said


def test_the_demo_runs_from_nothing_to_its_report(tmp_path: Path):
    said = run(ROOT / "examples/arithmetic/demo.py", "--out", tmp_path / "demo", "--quick", cwd=tmp_path)
    assert "accuracy" in said
    assert "layout.tags" in said
    page = (tmp_path / "demo/report.html").read_text("utf-8")
    assert page.count("<svg") >= 3
    verified = run("-m", "env_server", "audit", "verify", "--json", "--data-dir", "demo/run/server", cwd=tmp_path)
    assert json.loads(verified)["records"] > 500


def test_the_demo_empties_no_folder_that_is_not_its_own(tmp_path: Path):
    (tmp_path / "precious").write_text("data")
    run(ROOT / "examples/arithmetic/demo.py", "--out", tmp_path, "--quick", cwd=tmp_path, code=1)
    assert (tmp_path / "precious").read_text() == "data"
