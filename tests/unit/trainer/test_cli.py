import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from trainer.cli import app

CONFIG = """
[run]
dir = "{dir}/run"
steps = 10
[model]
path = "{model}"
[data]
tasks = "{dir}/tasks.jsonl"
[algorithm]
name = "grpo"
beta = 0.1
"""


@pytest.fixture
def config(tmp_path, model_path, make_task):
    tasks = [make_task(str(i), f"{i}+1=") for i in range(5)]
    (tmp_path / "tasks.jsonl").write_text("".join(task.model_dump_json(exclude_none=True) + "\n" for task in tasks))
    path = tmp_path / "run.toml"
    path.write_text(CONFIG.format(dir=tmp_path, model=model_path))
    return path


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_help_loads_no_torch():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom trainer.cli import app\n"
        "assert CliRunner().invoke(app, ['run', '--help']).exit_code == 0\n"
        "print(sorted({'torch', 'transformers', 'httpx', 'matplotlib', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_plan_counts_weights_work_and_memory_without_loading_or_asking(config, policy):
    found = json.loads(call("plan", "--config", config, "--json").stdout)
    weights = sum(weight.numel() for weight in policy.model.parameters())
    assert found["parameters"] == weights
    assert found["memory_bytes"]["reference"] == 4 * weights
    assert found["memory_bytes"]["total"] == sum(v for k, v in found["memory_bytes"].items() if k != "total")
    assert (found["completions"], found["train_tasks"], found["epochs"]) == (2560, 5, 32.0)
    assert found["config"]["optim"]["lr"] == 1e-6


def test_a_plan_reads_well_too(config):
    assert "parameters" in call("plan", "--config", config).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--config", "absent.toml"],
        ["plan", "--config", "{config}", "--set", "run.stepz=3"],
        ["plan", "--config", "{config}", "--set", "model.path=/nowhere/at/all"],
        ["eval", "--config", "{config}", "--checkpoint", "/nowhere"],
        ["eval", "--config", "{config}"],
        ["export", "--checkpoint", "/nowhere", "--to", "/nowhere/else"],
        ["run"],
        ["dance"],
    ],
)
def test_asking_wrongly_ends_with_status_2_and_says_why(config, arguments):
    done = call(*[config if argument == "{config}" else argument for argument in arguments])
    assert done.exit_code == 2
    assert done.stderr.strip()


def test_an_error_cannot_command_the_terminal():
    done = call("run", "--config", "\x1b[2J\x9b31m\x07.toml")
    assert done.exit_code == 2
    assert r"\x1b[2J\x9b31m\x07.toml" in done.stderr
    assert not {"\x1b", "\x9b", "\x07"} & set(done.stderr)


def test_a_service_that_is_not_there_ends_with_status_3(config):
    done = call("run", "--config", config, "--set", "grading.url=http://127.0.0.1:1", "--set", "algorithm.beta=0")
    assert done.exit_code == 3
    assert "127.0.0.1:1" in done.stderr
