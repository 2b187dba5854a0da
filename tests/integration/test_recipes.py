"""Every recipe runs: a tiny model, a few rows in the form of the real data, a reward service of its own, two steps."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trainer.cli import app
from trainer.tiny import build_tiny_model

datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
pytest.importorskip("reasoning_gym", reason="needs the extra `reasoning-gym`")
datasets.disable_progress_bars()

ROOT = Path(__file__).parents[2]
SMALL = {
    "run.steps": 2,
    "run.threads": 1,
    "model.device": "cpu",
    "sampler.kind": "hf",
    "sampler.dtype": "auto",
    "sampling.prompts_per_step": 2,
    "sampling.group_size": 2,
    "sampling.max_new_tokens": 4,
    "sampling.max_prompt_tokens": 2000,
    "algorithm.minibatches": 1,
    "eval.every_steps": 2,
    "eval.limit": 2,
    "checkpoint.every_steps": 2,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    letters = "abcdefghijklmnopqrstuvwxyz"
    build_tiny_model(path, f"0123456789+-*/=()<> {letters}", hidden=16, layers=1, heads=2, max_positions=4096)
    return path


@pytest.fixture(autouse=True)
def _in_the_root_with_an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def parquet(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_list(rows).to_parquet(path)


def gsm8k(folder: Path) -> dict[str, object]:
    """As on the hub: a card that names the configuration, and a folder of Parquet files."""
    sums = [{"question": f"What is {n} plus 2?", "answer": f"{n} + 2 = {n + 2}\n#### {n + 2}"} for n in range(9)]
    parquet(folder / "main/train-00000-of-00001.parquet", sums[:6])
    parquet(folder / "main/test-00000-of-00001.parquet", sums[5:])
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n"
        "  - split: train\n    path: main/train-*\n  - split: test\n    path: main/test-*\n---\n"
    )
    return {"data.sources.0.path": folder}


def countdown(folder: Path) -> dict[str, object]:
    parquet(folder / "train.parquet", [{"target": n + 3, "nums": [n, 1, 2]} for n in range(9)])
    return {"data.sources.0.path": folder, "data.sources.0.held_out_rows": 2}


def code(folder: Path) -> dict[str, object]:
    problem = {
        "question_id": "K_1",
        "question": "Write a function that doubles.",
        "test": "from solution import double\n\ndef test_double():\n    assert double(2) == 4\n",
        "test_info": [{"function_name": "double", "function_declaration": "def double(x):"}],
    }
    other = {**problem, "question_id": "K_2", "question": "Write another function that doubles."}
    parquet(folder / "kodcode/train.parquet", [problem, other])
    judged = {
        "task_id": "HumanEval/0",
        "prompt": 'def half(x):\n    """Half of x."""\n',
        "canonical_solution": "    return x / 2\n",
        "test": "def check(candidate):\n    assert candidate(4) == 2\n",
        "entry_point": "half",
    }
    parquet(folder / "humaneval/test.parquet", [judged])
    return {"data.sources.0.path": folder / "kodcode", "data.sources.1.path": folder / "humaneval"}


def reasoning_gym(folder: Path) -> dict[str, object]:
    few = {f"data.sources.{place}.{key}": value for place in range(3) for key, value in FEW.items()}
    return {**few, "data.sources.2.weight": 1.0}


FEW = {"size": 8, "held_out_rows": 1}
RECIPES: dict[str, Callable[[Path], dict[str, object]]] = {
    "gsm8k": gsm8k, "countdown": countdown, "code": code, "reasoning_gym": reasoning_gym,
}  # fmt: skip
FILES = [file for name in RECIPES for file in sorted(ROOT.glob(f"examples/{name}/*.toml")) if file.stem != "service"]


def test_every_recipe_is_tried():
    folders = {file.parent.name for file in ROOT.glob("examples/*/*.toml")}
    elsewhere = {"arithmetic", "cluster"}  # the demo, and what compose.yaml mounts
    assert folders == {*RECIPES, *elsewhere}


@pytest.mark.parametrize("recipe", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_recipe_runs_with_a_tiny_model(recipe: Path, model: Path, tmp_path: Path):
    rows = RECIPES[recipe.parent.name](tmp_path / "rows")
    changes = {"run.dir": tmp_path / "run", "model.path": model, **SMALL, **rows}
    flags = [flag for key, value in changes.items() for flag in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(app, ["run", "--spawn-server", "--json", "--config", str(recipe), *flags])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["complete"]
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2]
    assert [line["unscored_share"] for line in lines[1:]] == [0.0, 0.0]
    assert lines[-1]["held_out/unscored"] == 0
