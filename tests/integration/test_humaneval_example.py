"""The HumanEval example, on two problems of its form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROBLEMS = [
    {
        "task_id": "T/0",
        "entry_point": "double",
        "prompt": 'def double(x):\n    """Twice x."""\n',
        "canonical_solution": "    return 2 * x\n",
        "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(2) == 4\n",
    },
    {
        "task_id": "T/1",
        "entry_point": "root",
        "prompt": 'def square(x):\n    return x * x\n\ndef root(x):\n    """The positive root of x."""\n',
        "canonical_solution": "    return x ** 0.5\n",
        "test": "def check(candidate):\n    for x in range(9):\n        assert abs(square(candidate(x)) - x) < 1e-6\n",
    },
]


def run(*command: object, cwd: Path, code: int = 0) -> str:
    done = subprocess.run([sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("flags", [[], ["--as-published"]])
def test_solutions_pass_and_other_answers_do_not(tmp_path: Path, flags: list[str]):
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(problem) + "\n" for problem in PROBLEMS))
    example = ROOT / "examples/humaneval.py"
    run(example, "convert", "problems.jsonl", "--out", "items.jsonl", *flags, cwd=tmp_path)
    run("-m", "env_server", "score", "items.jsonl", "--out", "results.jsonl", cwd=tmp_path)
    said = run(example, "compare", "items.jsonl", "results.jsonl", cwd=tmp_path)
    assert said.splitlines() == [
        "solution: 2 of 2 pass",
        "another problem's solution: 0 of 2 pass",
        "pass: 0 of 2 pass",
    ]
    borrowed = [
        json.loads(line)["components"][0]["verdict"]["evidence"].get("borrowed") for line in open_lines(tmp_path)
    ]
    assert borrowed[3] == (["square"] if flags else None)


def test_a_solution_that_fails_is_named(tmp_path: Path):
    wrong = {**PROBLEMS[0], "canonical_solution": "    return x\n"}
    (tmp_path / "problems.jsonl").write_text(json.dumps(wrong) + "\n")
    example = ROOT / "examples/humaneval.py"
    run(example, "convert", "problems.jsonl", "--out", "items.jsonl", cwd=tmp_path)
    run("-m", "env_server", "score", "items.jsonl", "--out", "results.jsonl", cwd=tmp_path)
    said = run(example, "compare", "items.jsonl", "results.jsonl", cwd=tmp_path, code=1)
    assert "T/0: solution: reward 0.0 (wrong_answer)" in said


def open_lines(folder: Path) -> list[str]:
    return (folder / "results.jsonl").read_text("utf-8").splitlines()
