"""Real ranks on this machine: what several processes learn together is what one learns alone."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import ranked_runs
import torch
from ranked_runs import finish, lines, run, start, wait_until_asked
from safetensors.torch import load_file, save_file
from watched_runs import rank_process

from trainer.distributed.moments import load_moments

ALGORITHMS = {
    "grpo": 'name = "grpo"\nbeta = 0.05\nminibatches = 2\nentropy_bonus = 0.01',
    "ppo": 'name = "ppo"\nbeta = 0.05\nkl_target = 1.0\nkl_horizon = 100\nepochs = 2\ntarget_kl = 0.5',
}
CONFIG = """
[run]
dir = "{dir}/run"
id = "ranks"
steps = {steps}
threads = 1
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
{algorithm}
[optim]
lr = 2e-3
micro_batch = 4
[checkpoint]
every_steps = {every}
"""
STEPS = 4


def prepare(directory: Path, algorithm: str = "grpo", steps: int = STEPS, every: int = 2) -> Path:
    return ranked_runs.prepare(directory, CONFIG, algorithm=ALGORITHMS[algorithm], steps=steps, every=every)


def run_on_two_hosts(directory: Path, *arguments: str) -> None:
    """Two torchruns with two ranks each, as two machines would have them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = ("--nnodes", "2", "--master-addr", "127.0.0.1", "--master-port", str(port))
    hosts = [start(directory, 2, *arguments, agent=(*place, "--node-rank", str(number))) for number in range(2)]
    for host in hosts:
        status, said = finish(host)
        assert status == 0, said


def newest(directory: Path, step: int = STEPS) -> Path:
    return directory / f"run/checkpoints/step-{step:06d}"


def moments(directory: Path) -> dict[str, torch.Tensor]:
    """What the optimiser had gathered about each weight, as one process reads it."""
    weights = load_file(directory / "model.safetensors")
    optimizer = torch.optim.AdamW([torch.zeros_like(weights[name]) for name in order(directory)], fused=True)
    load_moments(directory, optimizer)
    return {f"{n}.{key}": value for n, known in optimizer.state_dict()["state"].items() for key, value in known.items()}


def order(directory: Path) -> list[str]:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    kind = AutoModelForSequenceClassification if directory.name == "critic" else AutoModelForCausalLM
    return [name for name, _ in kind.from_pretrained(directory).named_parameters()]


def assert_close(directory: Path, expected: Path, steps: int = STEPS) -> None:
    for found, alone in zip(lines(directory), lines(expected), strict=True):
        assert found.keys() == alone.keys()
        assert found == pytest.approx(alone, rel=2e-4, abs=2e-5)
    for part in ("", "critic"):
        path, alone_path = newest(directory, steps) / part, newest(expected, steps) / part
        assert path.is_dir() == alone_path.is_dir()
        if path.is_dir():
            weights, others = (load_file(each / "model.safetensors") for each in (path, alone_path))
            assert weights.keys() == others.keys()
            for name, value in weights.items():
                torch.testing.assert_close(value, others[name], rtol=1e-4, atol=2e-5)


def assert_same_bits(first: Path, second: Path) -> None:
    weights, others = (load_file(each / "model.safetensors") for each in (first, second))
    assert weights.keys() == others.keys()
    assert all(value.equal(others[name]) for name, value in weights.items())
    found, expected = moments(first), moments(second)
    assert found
    assert found.keys() == expected.keys()
    assert all(value.equal(expected[name]) for name, value in found.items())


@pytest.fixture(scope="module", params=["grpo", "ppo"])
def alone(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    directory = prepare(tmp_path_factory.mktemp("alone") / "run", request.param)
    run(directory, 1)
    assert all(line["stepped"] > 0 for line in lines(directory))
    return request.param, directory


@pytest.mark.parametrize("ranks", [2, 4])
def test_several_ranks_learn_what_one_process_learns(tmp_path, alone, ranks):
    algorithm, expected = alone
    directory = prepare(tmp_path / "several", algorithm)
    run(directory, ranks)
    assert_close(directory, expected)


def test_two_hosts_that_each_hold_a_whole_copy_learn_what_one_process_learns(tmp_path, alone):
    algorithm, expected = alone
    directory = prepare(tmp_path / "hosts", algorithm)
    run_on_two_hosts(directory, '--set=distributed.shard="host"')
    assert_close(directory, expected)


def test_a_checkpoint_of_four_ranks_is_the_same_on_two_and_on_one_and_back_on_four(tmp_path):
    directory = prepare(tmp_path / "first", "ppo")
    run(directory, 4, "--set=run.steps=2")
    before = newest(directory, 2)
    for ranks in (2, 1, 4):
        run(directory, ranks, "--again", str(tmp_path / f"on{ranks}"))
        for part in ("", "critic"):
            assert_same_bits(tmp_path / f"on{ranks}" / "step-000002" / part, before / part)


@pytest.mark.parametrize("ranks", [(4, 2, 1), (1, 4)], ids=["4-then-2-then-1", "1-then-4"])
def test_a_run_goes_on_with_another_number_of_ranks(tmp_path, alone, ranks):
    algorithm, expected = alone
    directory = prepare(tmp_path / "first", algorithm)
    for step, number in enumerate(ranks[:-1], 2):
        run(directory, number, f"--set=run.steps={step}")
    run(directory, ranks[-1])
    assert_close(directory, expected)


def test_an_adapter_that_is_sharded_learns_what_a_whole_one_learns(tmp_path):
    several, alone = (prepare(tmp_path / name, "grpo") for name in ("several", "alone"))
    chosen = ("--set=lora.rank=4", "--set=model.activation_checkpointing=true", "--set=optim.offload=true")
    run(several, 2, *chosen)
    run(alone, 1, *chosen)
    assert_close(several, alone)


def test_ranks_sample_from_the_adapted_policy_that_they_train_and_not_from_a_rounded_merger(tmp_path):
    """What an adapter adds is small beside a weight in bfloat16: merged and rounded, much of it would be gone."""
    several, alone = (prepare(tmp_path / name, "grpo") for name in ("several", "alone"))
    chosen = ("--set=lora.rank=4", '--set=model.compute="bfloat16"', "--set=sampling.max_new_tokens=12")
    run(several, 2, *chosen)
    run(alone, 1, *chosen)
    most = max(line["mismatch_mean"] for line in lines(alone))
    assert max(line["mismatch_mean"] for line in lines(several)) < 1.3 * most


def test_a_model_that_other_ranks_would_build_otherwise_than_rank_0_reads_it_is_refused(tmp_path):
    directory = prepare(tmp_path / "untied", "grpo")
    file = directory / "model/model.safetensors"
    weights = load_file(file)
    save_file({**weights, "lm_head.weight": weights["model.embed_tokens.weight"] + 1}, file, {"format": "pt"})
    process = start(directory, 2)
    status, said = finish(process)
    assert status == 1, said
    assert "rank 0 has read other tensors than config.json lets another rank build: lm_head.weight" in said


def test_a_detector_that_stops_the_run_stops_every_rank_once_what_was_done_is_saved(tmp_path):
    directory = prepare(tmp_path / "stopped", "grpo", every=100)
    run(directory, 2, "--set=run.steps=2")
    process = start(directory, 2, '--set=detectors.signatures.action="stop"')
    status, said = finish(process)
    assert status == 1, said
    assert said.count("StoppedByDetector: step 3") >= 2, said  # this program shows the error of each rank
    assert json.loads((directory / "run/alarms.jsonl").read_text().splitlines()[-1])["did"] == "stopped"


def test_one_rank_that_is_told_to_stop_has_all_of_them_save_and_end(tmp_path):
    directory = prepare(tmp_path / "told", "grpo", steps=2000, every=2000)
    process = start(directory, 2)
    wait_until_asked(directory, 3, process)
    os.kill(rank_process(process.pid, 1), signal.SIGTERM)
    status, said = finish(process)
    assert status == 0, said
    assert newest(directory, int(lines(directory)[-1]["step"])).is_dir()


def test_a_killed_rank_ends_the_run_with_its_name_and_the_run_goes_on_to_the_same_bits(tmp_path):
    expected, directory = (prepare(tmp_path / name, "grpo", steps=12, every=3) for name in ("expected", "killed"))
    run(expected, 2)
    process = start(directory, 2)
    wait_until_asked(directory, 5, process)
    os.kill(rank_process(process.pid, 1), signal.SIGKILL)
    killed = time.monotonic()
    status, said = finish(process, within_s=60)
    assert status not in (0, None)
    assert "rank 1 was lost" in said
    assert time.monotonic() - killed < 60

    run(directory, 2)
    assert_same_bits(newest(directory, 12), newest(expected, 12))
    assert (directory / "run/metrics.jsonl").read_bytes() == (expected / "run/metrics.jsonl").read_bytes()
