"""A trainer and a service that asks for keys: the key is used, and written nowhere."""

from pathlib import Path

import pytest
from keyed_server import KEYED, make_key

from env_server.client import RequestRefused
from env_server.principal import Scope
from env_server.schemas import Run
from rewarders.errors import ConfigError
from rewarders.types import FinishReason, Message, Task
from trainer.cli import _grader
from trainer.config import TrainConfig
from trainer.rollouts import Rollout
from trainer.samplers import Sample


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_KEY", raising=False)
    monkeypatch.delenv("ASSAY_KEY_FILE", raising=False)


def config(folder: Path, key_file: Path | None) -> TrainConfig:
    (folder / "server.toml").write_text(KEYED)
    grading = {"server_config": folder / "server.toml", "key_file": key_file}
    return TrainConfig.model_validate({
        "run": {"dir": folder / "run", "steps": 1}, "model": {"path": "m"}, "algorithm": {"name": "grpo"},
        "data": {"sources": [{"name": "sums", "kind": "jsonl", "path": "t.jsonl"}]}, "grading": grading,
    })  # fmt: skip


def rollout() -> Rollout:
    task = Task(id="sum", prompt=(Message(role="user", content="1+1="),), rubric="math.v1", reference={"answer": "2"})
    return Rollout(task, (1,), 0, 0, Sample((1,), (0.0,), FinishReason.STOP, "step-0"), "\\boxed{2}")


def test_a_trainer_grades_with_the_key_of_its_file_and_its_configuration_does_not_hold_it(tmp_path: Path):
    key = make_key(tmp_path / "run" / "server", "acme", [Scope.SCORE])
    (tmp_path / "key").write_text(f"{key}\n")
    settings = config(tmp_path, tmp_path / "key")
    with _grader(settings, spawn_server=True, nonce="n", outlasts_restarts=True) as grader:
        (graded,) = grader.grade([rollout()], Run(id="r", step=0))
    assert graded.reward == 1.0
    assert key not in settings.model_dump_json()
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or key[12:].encode() not in path.read_bytes(), path


def test_a_trainer_without_a_key_stops_and_says_what_to_do(tmp_path: Path):
    with (
        pytest.raises(RequestRefused, match="no key was sent") as refused,
        _grader(config(tmp_path, None), spawn_server=True, nonce="n", outlasts_restarts=True) as grader,
    ):
        grader.grade([rollout()], Run(id="r", step=0))
    assert "ASSAY_KEY" in refused.value.hint


def test_a_key_file_that_is_not_there_is_named_before_anything_starts(tmp_path: Path):
    with (
        pytest.raises(ConfigError, match=r"grading\.key_file is .* cannot be read"),
        _grader(config(tmp_path, tmp_path / "nothing"), spawn_server=True, nonce="n", outlasts_restarts=True),
    ):
        pytest.fail("it started")
    assert not (tmp_path / "run").exists()
