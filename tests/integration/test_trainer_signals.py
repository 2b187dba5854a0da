"""SIGTERM in the middle of a step: the step is finished, saved, and no other is begun."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from small_run import finish, lines, start, wait_until

from trainer.tiny import build_tiny_model

SLOW = '''
import time
from pathlib import Path

from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


@rewarder("acme.slow", version="1.0")
def slow(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Share of the letter a, after a while."""
    Path(__file__).with_name("grading").touch()
    time.sleep(0.1)
    return Verdict(score=completion.text.count("a") / max(1, len(completion.text)), reason="counted")
'''
SERVER = '[plugins]\nload = []\nmodules = ["slow"]\n[rubrics."slow.v1"]\nparts = [{ rewarder = "acme.slow" }]\n'
RUN = """
[run]
dir = "run"
steps = 50
threads = 1
[model]
path = "model"
device = "cpu"
[data]
tasks = "tasks.jsonl"
[algorithm]
name = "grpo"
[sampling]
prompts_per_step = 2
group_size = 4
max_new_tokens = 300
[grading]
server_config = "server.toml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_tiny_model(tmp_path / "model", "abcd", hidden=16, layers=1, heads=2)
    rows = [{"id": text, "prompt": [{"role": "user", "content": text}], "rubric": "slow.v1"} for text in "abcd"]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "server.toml").write_text(SERVER)
    (tmp_path / "run.toml").write_text(RUN)
    return tmp_path


def steps_done(folder: Path) -> list[int]:
    return [line["step"] for line in lines(folder / "run/metrics.jsonl")]


def terminate_when(folder: Path, happened: Callable[[], bool]) -> tuple[int, str, int]:
    """Status, output, and the steps that were done when the signal was sent."""
    process = start(folder)
    wait_until(happened, process)
    process.send_signal(signal.SIGTERM)
    done = len(steps_done(folder))
    return *finish(process), done


@pytest.mark.parametrize("moment", ["grading", "sampling"])
def test_a_signal_in_mid_step_is_obeyed_once_the_step_is_saved(folder: Path, moment: str):
    def happened() -> bool:
        return (folder / "grading").exists() if moment == "grading" else bool(steps_done(folder))

    status, said, done = terminate_when(folder, happened)
    assert status == 3, said
    assert "stopped as asked" in said
    reached = steps_done(folder)[-1]
    assert done <= reached <= done + 1
    assert reached >= 1
    assert (folder / f"run/checkpoints/step-{reached:06d}/state.json").is_file()
