"""A real vLLM engine in this process."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_vllm import PROMPTS, difference, differences_after_syncs, request, run_config

from trainer.models import Policy, load_policy
from trainer.samplers import Sampler
from trainer.samplers.building import built_sampler
from trainer.samplers.vllm_server import WrongWeights

pytestmark = pytest.mark.filterwarnings("default")  # vLLM's own


@pytest.fixture(scope="module")
def colocated(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Policy, Sampler, list[str]]]:
    config = run_config(model, tmp_path_factory.mktemp("run"), kind="vllm_colocated", sleep_level=2)
    policy = load_policy(config.model)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with built_sampler(config, policy) as sampler:
            yield policy, sampler, [str(warning.message) for warning in said]


def test_log_probabilities_agree_after_every_one_of_fifty_syncs(colocated: tuple[Policy, Sampler, list[str]]):
    policy, sampler, _ = colocated
    assert max(differences_after_syncs(policy, sampler, 50)) <= 1e-4


def test_a_sample_of_other_weights_than_asked_for_is_refused(colocated: tuple[Policy, Sampler, list[str]]):
    policy, sampler, _ = colocated
    sampler.take_weights(policy.model, "step-0")
    assert difference(policy, sampler.sample(PROMPTS, request("step-0"))).mean() <= 1e-4
    with pytest.raises(WrongWeights, match="'step-0' and was asked for 'step-1'"):
        sampler.sample(PROMPTS, request("step-1"))


def test_a_platform_without_sleep_is_said_once_and_does_no_harm(colocated: tuple[Policy, Sampler, list[str]]):
    assert sum("sampler.sleep_level = 2: vLLM cannot sleep on this platform" in said for said in colocated[2]) == 1
