"""The same with a server that computes in bfloat16, where rounding decides how far the two can agree."""

from collections.abc import Callable

import pytest
from real_vllm import asking, differences_after_syncs, sampling

from trainer.config import TrainConfig

Served = tuple[TrainConfig, list[str]]


@pytest.mark.parametrize("transfer", ["shared_memory", "file"])
def test_log_probabilities_agree_after_every_one_of_fifty_syncs(serve: Callable[..., Served], transfer: str):
    with sampling(asking(*serve("bfloat16"), transfer=transfer)) as (policy, sampler):
        means = differences_after_syncs(policy, sampler, 50, temperature=1.0)
    assert max(means) <= 0.0104


def test_a_float32_policy_travels_rounded(serve: Callable[..., Served]):
    config, urls = serve("bfloat16")
    fine = config.model_copy(update={"model": config.model.model_copy(update={"dtype": "float32"})})
    with sampling(asking(fine, urls, dtype="bfloat16", checksum_every_steps=1)) as (policy, sampler):
        assert max(differences_after_syncs(policy, sampler, 5, temperature=1.0)) <= 0.02
