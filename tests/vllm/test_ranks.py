"""A sharded policy and real vLLM: the weights go there from the shards, and the run is that of one process."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ranked_runs import lines, run

from trainer.config import TrainConfig

CONFIG = """
[run]
dir = "{dir}/run"
steps = 3
threads = 1
[model]
path = "{model}"
device = "cpu"
[data]
tasks = "{dir}/tasks.jsonl"
[sampler]
kind = "vllm_server"
urls = {urls}
checksum_every_steps = 1
[sampling]
prompts_per_step = 4
group_size = 8
max_new_tokens = 3
max_prompt_tokens = 64
[algorithm]
name = "grpo"
[optim]
lr = 1e-2
"""
AHEAD = ("--set=pipeline.max_staleness=1", '--set=correction.kind="truncate"')


def prepare(directory: Path, model: Path, urls: list[str]) -> Path:
    directory.mkdir()
    tasks = [{"id": str(a), "prompt": [{"role": "user", "content": f"{a}+1="}], "rubric": "digits"} for a in range(9)]
    (directory / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    (directory / "run.toml").write_text(CONFIG.format(dir=directory, model=model, urls=json.dumps(urls)))
    return directory


@pytest.mark.parametrize("chosen", [(), AHEAD], ids=["in turn", "ahead"])
def test_two_ranks_and_vllm_learn_what_one_process_and_vllm_learn(
    model: Path, tmp_path: Path, serve: Callable[..., tuple[TrainConfig, list[str]]], chosen: tuple[str, ...]
):
    urls = serve("float32", 2)[1]
    several, alone = (prepare(tmp_path / name, model, urls) for name in ("several", "alone"))
    run(several, 2, *chosen)
    run(alone, 1, *chosen)
    found, expected = lines(several), lines(alone)
    assert all(line["stepped"] for line in found)
    if not chosen:
        most = max(line["mismatch_mean"] for line in found)
        assert most < 1e-5, "vLLM samples with other weights than the ranks have"
    for line, other in zip(found, expected, strict=True):
        wanted = {name: value for name, value in other.items() if chosen or not name.startswith("mismatch")}
        assert {name: line[name] for name in wanted} == pytest.approx(wanted, rel=1e-3, abs=1e-5)
