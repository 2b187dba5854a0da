"""A service that fails in the middle of a run: the run stops, nothing is learnt from it, and it goes on when mended."""

import json
from pathlib import Path

import pytest
from small_run import finish, finished, lines, start

from trainer.tiny import build_tiny_model

FLAKY = '''
from pathlib import Path

from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


@rewarder("acme.flaky", version="1.0")
def flaky(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Share of the letter a, unless something it needs is missing."""
    Path(__file__).with_name("needed").read_text()
    return Verdict(score=completion.text.count("a") / max(1, len(completion.text)), reason="counted")
'''
SERVER = '[plugins]\nload = []\nmodules = ["flaky"]\n[rubrics."flaky.v1"]\nparts = [{ rewarder = "acme.flaky" }]\n'
RUN = """
[run]
dir = "run"
steps = 2
threads = 1
[model]
path = "model"
device = "cpu"
[data]
tasks = "tasks.jsonl"
held_out = "held_out.jsonl"
[algorithm]
name = "grpo"
[sampling]
prompts_per_step = 2
group_size = 4
max_new_tokens = 4
[grading]
server_config = "server.toml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_tiny_model(tmp_path / "model", "abcd", hidden=16, layers=1, heads=2)
    for name, text in (("tasks", "b"), ("held_out", "c")):
        task = {"id": name, "prompt": [{"role": "user", "content": text}], "rubric": "flaky.v1"}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(task) + "\n")
    (tmp_path / "flaky.py").write_text(FLAKY)
    (tmp_path / "server.toml").write_text(SERVER)
    (tmp_path / "run.toml").write_text(RUN)
    return tmp_path


def test_an_outage_stops_the_run_and_once_mended_the_same_command_goes_on(folder: Path):
    status, said = finish(start(folder))
    assert status == 1
    assert "8 of 8 rollouts are unscored (8 RewarderFault)" in said
    assert not (folder / "run/checkpoints").exists()
    (folder / "needed").write_text("")
    finished(folder)
    done = lines(folder / "run/metrics.jsonl")
    assert [(line["step"], line["unscored_share"]) for line in done] == [(1, 0.0), (2, 0.0)]


def test_an_evaluation_during_an_outage_is_an_error_and_not_an_accuracy_of_0(folder: Path):
    out, err = (process := start(folder, verb="eval")).communicate()
    assert (process.returncode, out) == (1, "")
    assert "unscored" in err
