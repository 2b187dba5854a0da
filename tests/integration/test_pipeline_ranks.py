"""Real ranks that draw, grade and learn at the same time: what they learn together is what one process learns alone."""

import json
import os
import signal
from pathlib import Path

import pytest
import ranked_runs
from ranked_runs import finish, lines, run, start, wait_until_logged
from safetensors.torch import load_file
from watched_runs import rank_process

CONFIG = """
[run]
dir = "{dir}/run"
id = "ranks"
steps = {steps}
threads = 1
rollouts_kept = 100
[model]
path = "{dir}/model"
device = "cpu"
[data]
tasks = "{dir}/tasks.jsonl"
[sampling]
prompts_per_step = 3
group_size = 6
max_new_tokens = 6
[algorithm]
name = "grpo"
beta = 0.05
[correction]
kind = "truncate"
[pipeline]
max_staleness = 2
{pipeline}
[optim]
lr = 2e-3
micro_batch = 4
[eval]
every_steps = 3
[checkpoint]
every_steps = {every}
"""
STEPS = 8


def prepare(directory: Path, *, every: int = 2, pipeline: str = "") -> Path:
    return ranked_runs.prepare(directory, CONFIG, held_out=True, steps=STEPS, every=every, pipeline=pipeline)


def assert_close(directory: Path, expected: Path) -> None:
    for found, alone in zip(lines(directory), lines(expected), strict=True):
        assert found == pytest.approx(alone, rel=2e-4, abs=2e-5)
    weights, others = (load_file(newest(each) / "model.safetensors") for each in (directory, expected))
    for name, value in weights.items():
        assert value.numpy() == pytest.approx(others[name].numpy(), rel=1e-4, abs=2e-5)


def assert_same_run(directory: Path, expected: Path) -> None:
    weights, others = (load_file(newest(each) / "model.safetensors") for each in (directory, expected))
    assert all(value.equal(others[name]) for name, value in weights.items())
    metrics, expected_metrics = (each / "run/metrics.jsonl" for each in (directory, expected))
    assert metrics.read_bytes() == expected_metrics.read_bytes()


def newest(directory: Path) -> Path:
    return max((directory / "run/checkpoints").iterdir())


def drawn(directory: Path) -> list[tuple]:
    shown = ("step", "task_id", "sample", "completion", "weight_version", "staleness")
    return [tuple(rollout[key] for key in shown) for rollout in lines(directory, "rollouts.jsonl")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(prepare(tmp_path_factory.mktemp("alone") / "run"), 1)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(prepare(tmp_path_factory.mktemp("together") / "run"), 2)


def test_two_ranks_that_are_ahead_learn_what_one_process_that_is_ahead_learns(together, alone):
    assert_close(together, alone)
    assert drawn(together) == drawn(alone)
    assert {staleness for *_, staleness in drawn(together)} == {0, 1, 2}


def test_an_adapter_that_ranks_sample_with_beside_learning_is_the_one_they_train(tmp_path):
    several, one = (prepare(tmp_path / name) for name in ("several", "alone"))
    for directory, ranks in ((several, 2), (one, 1)):
        run(directory, ranks, "--set=lora.rank=4")
    assert_close(several, one)


def test_a_run_that_is_told_to_stop_goes_on_in_one_process_with_what_ranks_had_under_way(tmp_path, alone):
    directory = prepare(tmp_path / "told", every=STEPS)
    process = start(directory, 2)
    wait_until_logged(directory, 2, process)
    os.kill(rank_process(process.pid, 1), signal.SIGTERM)
    status, said = finish(process)
    assert status == 0, said
    reached = lines(directory)[-1]["step"]
    assert reached < STEPS
    kept = [json.loads(line) for line in (newest(directory) / "in_flight.jsonl").read_text().splitlines()]
    ahead = range(reached + 1, min(reached + 2, STEPS) + 1)
    assert {(line["draw"], line["place"]) for line in kept} == {(draw, place) for draw in ahead for place in range(3)}
    run(directory, 1)
    assert_close(directory, alone)


def test_a_killed_rank_ends_the_run_with_its_name_and_the_run_goes_on_to_the_same_bits(tmp_path, together):
    directory = prepare(tmp_path / "killed", every=2)
    process = start(directory, 2)
    wait_until_logged(directory, 3, process)
    os.kill(rank_process(process.pid, 1), signal.SIGKILL)
    status, said = finish(process, within_s=60)
    assert status not in (0, None)
    assert "rank 1 was lost" in said
    run(directory, 2)
    assert_same_run(directory, together)


def test_a_straggler_of_any_rank_is_learnt_from_a_step_later_and_choices_are_on_record(tmp_path):
    directory = run(prepare(tmp_path / "late", pipeline="stragglers = 1"), 2)
    groups: dict[int, set[int]] = {}
    for rollout in lines(directory, "rollouts.jsonl"):
        groups.setdefault(rollout["step"], set()).add(rollout["group"])
    assert [len(groups[step]) for step in range(1, STEPS + 1)] == [2] + [3] * (STEPS - 1)
    choices = lines(directory, "choices.jsonl")
    assert [(choice["step"], len(choice["groups"])) for choice in choices] == [(n, 2) for n in range(1, STEPS + 1)]
