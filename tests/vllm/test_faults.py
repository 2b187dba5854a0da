"""A server that was started wrongly, answers wrongly or dies: found before training, or named when it happens."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from real_vllm import PROMPTS, Optimiser, asking, difference, request, run_config

from rewarders.errors import ConfigError
from rewarders.types import Message, Task
from trainer.config import TrainConfig
from trainer.models import Policy, load_policy
from trainer.samplers import vllm_server
from trainer.samplers.building import built_sampler
from trainer.samplers.probe import SamplerDisagrees, check_parity
from trainer.samplers.replica import Replica, ServerLost
from trainer.samplers.spawning import spawned_vllm
from trainer.samplers.vllm_adapter import serve_arguments
from trainer.samplers.vllm_server import VllmServerSampler
from trainer.weights.files import SharedMemoryTransfer

TASKS = [
    Task(id=f"t{n}", prompt=(Message(role="user", content=f"{n}+{n}="),), rubric="math.v1", reference={})
    for n in range(20)
]


@pytest.fixture(scope="module")
def raw(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TrainConfig, str]]:
    """A server with vLLM's own default: log-probabilities before the temperature."""
    config = run_config(model, tmp_path_factory.mktemp("run"), kind="vllm_server", spawn=1)
    arguments = serve_arguments(model=str(model), dtype="float32", max_tokens=88, memory_share=0.3, eager=True)
    arguments[arguments.index("processed_logprobs")] = "raw_logprobs"
    logs = config.run.dir / "vllm"
    with spawned_vllm(1, arguments, logs=logs, on_cpu=True, start_timeout_s=300) as urls:
        yield config, urls[0]


@pytest.fixture
def lenient(raw: tuple[TrainConfig, str]) -> Iterator[tuple[TrainConfig, Policy, VllmServerSampler]]:
    """A sampler of that server which does not look at what it says of itself."""
    config, url = raw
    policy, replica = load_policy(config.model), Replica(url, timeout_s=60)
    sampler = VllmServerSampler(
        [(replica, replica.facts())],
        SharedMemoryTransfer([replica], torch.float32),
        stop_ids=policy.stop_ids,
        dtype=torch.float32,
        threads=ThreadPoolExecutor(8),
    )
    sampler.take_weights(policy.model, "step-0")
    yield config, policy, sampler
    sampler.close()


def refusal(config: TrainConfig, policy: Policy, sampler: Any, **others: Any) -> str:
    with pytest.raises(SamplerDisagrees) as raised:
        check_parity(config, policy, sampler, TASKS, "step-0", **others)
    return str(raised.value)


def at_temperature_one(config: TrainConfig) -> TrainConfig:
    """Where raw and processed log-probabilities are the same."""
    return config.model_copy(update={"sampling": config.sampling.model_copy(update={"temperature": 1.0})})


def test_raw_log_probabilities_are_refused_before_anything_is_sampled(raw: tuple[TrainConfig, str]):
    config = asking(raw[0], [raw[1]])
    wanted = pytest.raises(ConfigError, match="reports raw_logprobs, needed are processed_logprobs")
    with wanted, built_sampler(config, load_policy(config.model)):
        pass


def test_the_probe_finds_raw_log_probabilities(lenient: tuple[TrainConfig, Policy, VllmServerSampler]):
    assert "raw log-probabilities" in refusal(*lenient)


def test_the_probe_lets_a_good_server_through(lenient: tuple[TrainConfig, Policy, VllmServerSampler]):
    config, policy, sampler = lenient
    assert check_parity(at_temperature_one(config), policy, sampler, TASKS, "step-0").mean <= 1e-4


def test_the_probe_finds_stale_weights(lenient: tuple[TrainConfig, Policy, VllmServerSampler]):
    config, policy, sampler = lenient
    Optimiser(policy.model, lr=0.02).step()
    others = {"the model the run began with": lambda: load_policy(config.model).model}
    assert "stale" in refusal(at_temperature_one(config), policy, sampler, other_weights=others)


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ({"top_k": 4}, "top_p, top_k or min_p"),
        ({"top_p": 0.7}, "top_p, top_k or min_p"),
        ({"temperature": 1.0}, "does not apply the temperature of 2"),
    ],
    ids=str,
)
def test_the_probe_finds_what_a_server_makes_of_the_distribution(
    serve: Callable[..., tuple[TrainConfig, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    planted: dict[str, Any],
    named: str,
):
    honest = vllm_server.sampling_parameters
    monkeypatch.setattr(vllm_server, "sampling_parameters", lambda *given: {**honest(*given), **planted})
    config = asking(*serve("float32", 2))
    warm = config.model_copy(update={"sampling": config.sampling.model_copy(update={"temperature": 2.0})})
    policy = load_policy(config.model)
    with built_sampler(warm, policy) as sampler:
        sampler.take_weights(policy.model, "step-0")
        assert named in refusal(warm, policy, sampler)


def test_a_server_killed_in_the_middle_of_a_step_is_named(
    lenient: tuple[TrainConfig, Policy, VllmServerSampler], raw: tuple[TrainConfig, str]
):
    _, policy, sampler = lenient
    assert len(difference(policy, sampler.sample(PROMPTS, request("step-0"))))
    killer = threading.Timer(0.3, os.kill, (_server_process(raw[1]), signal.SIGKILL))
    killer.start()
    with pytest.raises(ServerLost, match=f"no answer from the vLLM server at {raw[1]}") as raised:
        sampler.sample(PROMPTS, request("step-0", group_size=400))
    assert "run again from the last checkpoint" in raised.value.hint
    with pytest.raises(ServerLost):
        sampler.take_weights(policy.model, "step-1")
    killer.join()


def _server_process(url: str) -> int:
    """The one whose command line has the port of the URL, and which this process started."""
    port = url.rpartition(":")[2]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_text("utf-8", "replace").split("\0")
        if "--port" in words and words[words.index("--port") + 1] == port:
            return int(path.parent.name)
    raise AssertionError(f"no process serves {url}")
