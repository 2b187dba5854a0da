"""`env-server check-tasks` on real files: what it names, in which line, and how it leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ODD = """
[plugins]
load = []
modules = ["odd_checks"]
[workers]
processes = 1
[rubrics."checked.v1"]
parts = [{ rewarder = "odd.checked" }]
[rubrics."waits.v1"]
parts = [{ rewarder = "odd.waits" }]
"""


def task(name: str, reference: Any, rubric: str | None = "math.v1") -> dict[str, Any]:
    named = {"id": name, "prompt": [{"role": "user", "content": "?"}], "reference": reference}
    return named if rubric is None else {**named, "rubric": rubric}


def write(folder: Path, *lines: object) -> Path:
    path = folder / "tasks.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def check_tasks(path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "env_server", "check-tasks", str(path), *map(str, arguments)]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent, env=wide)


def found(done: subprocess.CompletedProcess[str]) -> list[tuple[int, str | None, str | None, str]]:
    problems = json.loads(done.stdout)["problems"]
    return [(each["line"], each["task"], each["rewarder"], each["code"]) for each in problems]


def test_sound_tasks_pass_and_nothing_is_recorded(tmp_path: Path):
    references = [{"answer": "4"}, {"answer": [r"\frac{1}{2}", "0.5"]}, "x^2 + 1", 7]
    path = write(tmp_path, *(task(f"t{i}", reference) for i, reference in enumerate(references)))
    done = check_tasks(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 tasks, 0 errors, 0 warnings\n", "")
    assert list(tmp_path.iterdir()) == [path]


def test_every_problem_is_named_with_its_line_its_task_and_its_rewarder(tmp_path: Path):
    path = write(
        tmp_path,
        task("sound", {"answer": "4"}),
        "{broken",
        "",
        task("comma", "1,22"),
        task("sound", {"answer": "5"}),
        task("homeless", "4", None),
        task("elsewhere", "4", "none.v1"),
        task("empty", {"answer": " "}, "reasoning.v1"),
        task("surplus", {"answer": "4", "colour": "red"}),
        task("tower", "9^9^9"),
        task("words", ["12", "a dozen of them or so"]),
        [1, 2],
    )
    done = check_tasks(path, "--json")
    assert done.returncode == 1
    assert found(done) == [
        (2, None, None, "not_json"),
        (4, "comma", "maths.equal", "ambiguous"),
        (5, "sound", None, "duplicate_id"),
        (6, None, None, "invalid_task"),
        (7, "elsewhere", None, "unknown_rubric"),
        (8, "empty", "maths.equal", "invalid_reference"),
        (9, "surplus", None, "invalid_reference"),
        (10, "tower", "maths.equal", "too_costly"),
        (11, "words", "maths.equal", "unparsable"),
        (12, None, None, "invalid_task"),
    ]
    report = json.loads(done.stdout)
    assert (report["tasks"], report["errors"], report["warnings"]) == (11, 8, 2)
    assert sum(report["codes"].values()) == 10
    messages = {each["line"]: each["message"] for each in report["problems"]}
    assert messages[5] == "the task on line 1 has the same id"
    assert "rubric: Field required" in messages[6]
    assert "it has cited.v1, code-audit.v1, code.v1" in messages[7]
    assert "an answer is empty" in messages[8]
    assert "known fields: answer" in messages[9]


def test_the_table_says_the_same_for_people_and_leaves_markup_alone(tmp_path: Path):
    done = check_tasks(write(tmp_path, task("[red]loud[/]", r"\blue [bold]3")))
    header, row, counts = done.stdout.splitlines()
    assert header.split() == ["line", "task", "rewarder", "code", "message"]
    assert row.split()[:5] == ["1", "[red]loud[/]", "maths.equal", "unparsable", "warning:"]
    assert r'"\blue [bold]3" is compared as text alone' in row
    assert counts == "1 tasks, 0 errors, 1 warnings: 1 unparsable"


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--strict"], 1)])
def test_warnings_leave_with_0_unless_they_are_to_count(tmp_path: Path, arguments: list[str], code: int):
    assert check_tasks(write(tmp_path, task("t", "1,22")), *arguments).returncode == code


def test_tasks_that_name_no_rubric_can_be_given_one(tmp_path: Path):
    path = write(tmp_path, task("t", "4", None), task("u", "4", "none.v1"))
    done = check_tasks(path, "--rubric", "math.v1", "--json")
    assert found(done) == [(2, "u", None, "unknown_rubric")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--rubric", "none.v1"], "there is no rubric 'none.v1'"), (["--config", "none.toml"], "cannot read none.toml")],
)
def test_a_wrong_command_leaves_with_2_and_says_what_to_do(tmp_path: Path, arguments: list[str], says: str):
    done = check_tasks(write(tmp_path, task("t", "4")), *arguments, "--json")
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)
    assert says in done.stderr
    assert "hint:" in done.stderr


def test_a_file_that_cannot_be_read_leaves_with_2(tmp_path: Path):
    assert check_tasks(tmp_path / "none.jsonl").returncode == 2


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "server.toml"
    path.write_text(ODD)
    return path


def test_a_reference_that_hangs_crashes_or_breaks_its_check_is_an_error_of_its_own_line(tmp_path: Path, odd: Path):
    told = ["nothing", "burn", "raise", "segfault", "nothing"]
    path = write(tmp_path, *(task(f"t{i}", {"told": each}, "checked.v1") for i, each in enumerate(told)))
    done = check_tasks(path, "--config", odd, "--json")
    assert done.returncode == 1
    assert found(done) == [
        (2, "t1", "odd.checked", "too_costly"),
        (3, "t2", "odd.checked", "check_failed"),
        (4, "t3", "odd.checked", "crashed"),
    ]


def test_an_async_rewarder_has_its_references_checked_too_without_a_sandbox(tmp_path: Path, odd: Path):
    told = ["nothing", "burn"]
    path = write(tmp_path, *(task(each, {"told": each}, "waits.v1") for each in told))
    assert found(check_tasks(path, "--config", odd, "--json")) == [(2, "burn", "odd.waits", "too_costly")]


def test_of_too_many_problems_the_errors_are_shown_and_the_rest_is_counted(tmp_path: Path, odd: Path):
    path = write(tmp_path, task("t", {"told": "many"}, "checked.v1"))
    report = json.loads(check_tasks(path, "--config", odd, "--json").stdout)
    assert report["codes"] == {"last": 1, "more": 1, "odd": 10}
    assert report["problems"][-1]["message"] == "and 40 more problems"


def test_more_lines_than_are_looked_at_at_once_are_reported_in_their_order(tmp_path: Path):
    path = write(tmp_path, *(task(f"t{i}", "1,22" if i % 3 else "4") for i in range(1_500)))
    done = check_tasks(path, "--json")
    assert [line for line, *_ in found(done)] == [i + 1 for i in range(1_500) if i % 3]


def test_tasks_can_come_through_a_pipe(tmp_path: Path):
    path = write(tmp_path, task("t", "4"), task("t", "4"))
    command = [sys.executable, "-m", "env_server", "check-tasks", "/dev/stdin", "--json"]
    with path.open("rb") as stdin, subprocess.Popen(["cat"], stdin=stdin, stdout=subprocess.PIPE) as pipe:
        done = subprocess.run(command, stdin=pipe.stdout, capture_output=True, text=True, check=False)
    assert found(done) == [(2, "t", None, "duplicate_id")]
