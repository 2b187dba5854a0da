"""`env-server rubric`: what each command prints, and how it leaves."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from env_server.cli import app
from env_server.ledger.place import Place
from env_server.ledger.rubrics import remember_rubrics
from rewarders.errors import ConfigError
from rewarders.rubric_files import load_rubric

SHAPED = """
name = "shaped.v1"
[[parts]]
rewarder = "layout.tags"
gate = true
[[parts]]
rewarder = "maths.equal"
[[parts]]
rewarder = "layout.length"
weight = [[0, -0.5], [100, -0.1]]
"""


@pytest.fixture
def shaped(tmp_path: Path) -> Path:
    (tmp_path / "shaped.toml").write_text(SHAPED)
    return tmp_path / "shaped.toml"


@pytest.fixture
def config(tmp_path: Path, shaped: Path) -> Path:
    path = tmp_path / "server.toml"
    path.write_text(f'rubric_files = ["{shaped}"]\n')
    return path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["rubric", *map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.output


def as_json(*arguments: object):
    return json.loads(run(*arguments, "--json")[1])


def test_list_has_the_built_in_rubrics_and_those_of_files(config: Path):
    names = [one["name"] for one in as_json("list", "-c", config)]
    assert {"math.v1", "reasoning.v1", "shaped.v1"} <= set(names)
    assert "shaped.v1" in run("list", "-c", config)[1]


def test_show_says_what_the_weights_are_at_a_step_and_what_may_not_be_meant(config: Path):
    code, text = run("show", "shaped.v1", "-c", config, "--step", 50)
    assert code == 0
    assert "-0.3" in text
    assert "closing gate layout.tags pays 0, and penalties can bring an answer down to -0.5" in text
    assert as_json("show", "shaped.v1", "-c", config)["advice"] != []
    assert as_json("show", "math.v1")["advice"] == []


def test_a_file_is_shown_that_no_service_serves(shaped: Path):
    assert as_json("show", shaped)["name"] == "shaped.v1"


def test_diff_names_every_setting_and_leaves_with_1(config: Path, shaped: Path, tmp_path: Path):
    other = tmp_path / "other.toml"
    other.write_text(SHAPED.replace("[0, -0.5]", "[0, -0.4]").replace("shaped.v1", "shaped.v2"))
    assert run("diff", shaped, shaped) == (0, "")
    assert run("diff", shaped, other)[0] == 1
    (found,) = as_json("diff", shaped, other)
    assert (found["key"], found["old"][0], found["new"][0]) == ("parts.2.weight", [0, -0.5], [0, -0.4])


def test_diff_with_what_the_ledger_knows_shows_why_a_start_was_refused(config: Path, shaped: Path, tmp_path: Path):
    data = tmp_path / "data"
    remember_rubrics(Place(data), [load_rubric(shaped)])
    assert run("diff", "shaped.v1", "-c", config, "-d", data)[0] == 0
    shaped.write_text(SHAPED + "threshold = 0.5\n")
    (found,) = as_json("diff", "shaped.v1", "-c", config, "-d", data)
    assert (found["key"], found["old"], found["new"]) == ("parts.2.threshold", 0.0, 0.5)


def test_explain_says_what_would_be_paid(config: Path):
    said = as_json("explain", "shaped.v1", "0", "0.8", "1", "-c", config, "--step", 100)
    assert said["reward"] == 0.0
    assert said["explanation"].endswith("set to 0 by gate layout.tags: imagined")
    assert as_json("explain", "shaped.v1", "fault", "0.8", "1", "-c", config)["reward"] is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["show", "none.v1"], r"there is no rubric 'none\.v1'"),
        (["show", "none.toml"], r"cannot read the rubric none\.toml"),
        (["explain", "math.v1", "2"], "'2' is no score"),
        (["explain", "math.v1", "x"], "'x' is no score"),
        (["explain", "math.v1", "nan"], "'nan' is no score"),
        (["explain", "math.v1", "1", "1"], r"2 scores are given, and math\.v1 has 1 parts: maths\.equal"),
    ],
)
def test_what_is_asked_wrongly_is_said(arguments: list[str], problem: str):
    with pytest.raises(ConfigError, match=problem):
        run(*arguments)
