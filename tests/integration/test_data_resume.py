"""A mixture with a schedule, an easy beginning and several rounds a step goes on as if it had never been stopped."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trainer.cli import app
from trainer.tiny import build_tiny_model

CONFIG = """
[run]
dir = "{dir}/run"
id = "mixture"
steps = 8
threads = 1
rollouts_kept = 1000
[model]
path = "{dir}/model"
device = "cpu"
[[data.sources]]
kind = "huggingface"
name = "sums"
path = "{dir}/sums.jsonl"
prompt = "{{question}}"
rubric = "math.v1"
reference = {{ answer = {{ column = "answer" }} }}
id = "question"
weight = [[0, 1.0], [6, 0.2]]
difficulty = "level"
easy_first_steps = 4
[[data.sources]]
kind = "jsonl"
name = "differences"
path = "{dir}/differences.jsonl"
[sampling]
prompts_per_step = 3
group_size = 4
max_new_tokens = 3
[algorithm]
name = "dapo"
sampling_rounds = 3
[optim]
lr = 1e-2
[checkpoint]
every_steps = 2
"""


def prepare(directory: Path) -> Path:
    build_tiny_model(directory / "model", "0123456789+-=", hidden=16, layers=1, heads=2)
    pairs = [(a, b) for a in range(4) for b in range(3)]
    sums = [{"question": f"{a}+{b}=", "answer": str(a + b), "level": a} for a, b in pairs]
    differences = [
        {
            "id": f"{a}-{b}",
            "prompt": [{"role": "user", "content": f"{a}-{b}="}],
            "rubric": "math.v1",
            "reference": {"answer": str(a - b)},
        }
        for a, b in pairs
    ]
    for name, rows in (("sums", sums), ("differences", differences)):
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "run.toml").write_text(CONFIG.format(dir=directory))
    return directory


def run(directory: Path, *overrides: str) -> tuple[int, str]:
    flags = [flag for override in overrides for flag in ("--set", override)]
    done = CliRunner().invoke(app, ["run", "--spawn-server", "--config", str(directory / "run.toml"), *flags])
    return done.exit_code, done.output


datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
datasets.disable_progress_bars()


@pytest.fixture(scope="module", autouse=True)
def _a_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = prepare(tmp_path_factory.mktemp("whole"))
    status, said = run(directory)
    assert status == 0, said
    return directory


def drawn(directory: Path) -> list[tuple[int, int, str]]:
    lines = (directory / "run/rollouts.jsonl").read_text().splitlines()
    return [(row["step"], row["group"], row["task_id"]) for row in map(json.loads, lines)]


def test_a_mixture_goes_on_with_the_tasks_it_would_have_had(tmp_path: Path, whole: Path):
    directory = prepare(tmp_path)
    for steps in (3, 5, 8):
        status, said = run(directory, f"run.steps={steps}")
        assert status == 0, said
    assert drawn(directory) == drawn(whole)
    assert (directory / "run/metrics.jsonl").read_bytes() == (whole / "run/metrics.jsonl").read_bytes()
    assert any("-" in task for _, _, task in drawn(whole))


def test_a_run_with_other_weights_or_rows_is_another_run(whole: Path):
    for change in ("data.sources.1.weight=2.0", "data.sources.0.easy_first_steps=3", "data.sources.1.held_out_rows=1"):
        status, said = run(whole, "run.steps=9", change)
        assert status == 1, said
        assert "data.tasks was" in said
