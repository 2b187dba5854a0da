"""Two real vLLM servers of a tiny policy: sample, train, sync, sample again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import torch
from real_vllm import PROMPTS, Optimiser, asking, difference, differences_after_syncs, request, sampling

from rewarders.errors import ConfigError
from trainer.config import TrainConfig
from trainer.models import Policy, load_policy
from trainer.samplers import Sampler
from trainer.samplers.building import built_sampler
from trainer.samplers.replica import Replica, ServerLost
from trainer.samplers.vllm_server import VllmServerSampler, WrongWeights
from trainer.weights.files import SharedMemoryTransfer
from trainer.weights.outbox import PREFIX, SHARED_MEMORY


@pytest.fixture(scope="module")
def served(serve: Callable[..., tuple[TrainConfig, list[str]]]) -> tuple[TrainConfig, list[str]]:
    return serve("float32", 2)


@pytest.fixture
def both(served: tuple[TrainConfig, list[str]]) -> Iterator[tuple[Policy, Sampler]]:
    with sampling(asking(*served)) as ready:
        yield ready


def by_hand(served: tuple[TrainConfig, list[str]], policy: Policy, **changes: Any) -> VllmServerSampler:
    """A sampler whose transfer reaches the first server alone, or that believes other facts."""
    from concurrent.futures import ThreadPoolExecutor

    replicas = [Replica(url, timeout_s=60) for url in served[1]]
    reached = replicas[: changes.pop("reached", 2)]
    facts = [replace(replica.facts(), **changes) for replica in replicas]
    return VllmServerSampler(
        list(zip(replicas, facts, strict=True)),
        SharedMemoryTransfer(reached, torch.float32),
        stop_ids=policy.stop_ids,
        dtype=torch.float32,
        threads=ThreadPoolExecutor(8),
        checksum_every=1,
    )


@pytest.mark.parametrize("transfer", ["shared_memory", "file"])
def test_log_probabilities_agree_after_every_one_of_fifty_syncs(served: tuple[TrainConfig, list[str]], transfer: str):
    with sampling(asking(*served, transfer=transfer)) as (policy, sampler):
        assert max(differences_after_syncs(policy, sampler, 50)) <= 1e-4


def test_draws_depend_on_neither_the_server_nor_the_company(
    served: tuple[TrainConfig, list[str]], both: tuple[Policy, Sampler]
):
    wanted = [[sample.tokens for sample in group] for group in both[1].sample(PROMPTS, request("step-0"))]
    with sampling(asking(served[0], served[1][1:], concurrency=1)) as (_, alone):
        assert [[sample.tokens for sample in group] for group in alone.sample(PROMPTS, request("step-0"))] == wanted
        assert [sample.tokens for sample in alone.sample(PROMPTS[:1], request("step-0"))[0]] == wanted[0]
    assert len({tokens for group in wanted for tokens in group}) > 5


def test_a_completion_ends_with_the_stop_token_or_at_the_limit(both: tuple[Policy, Sampler]):
    policy, sampler = both
    samples = [sample for group in sampler.sample(PROMPTS, request("step-0", group_size=8)) for sample in group]
    assert {sample.finish_reason.value for sample in samples} == {"stop", "length"}
    for sample in samples:
        assert (sample.tokens[-1] in policy.stop_ids) == (sample.finish_reason == "stop")
        assert not set(sample.tokens[:-1]) & set(policy.stop_ids)
        assert sample.finish_reason == "stop" or len(sample.tokens) == 24


def test_no_temperature_means_the_likeliest_token(both: tuple[Policy, Sampler]):
    policy, sampler = both
    ((first, second),) = sampler.sample(PROMPTS[:1], request("step-0", temperature=0.0, group_size=2))
    assert first.tokens == second.tokens
    ids = torch.tensor([[*PROMPTS[0]]])
    likeliest = policy.model(ids).logits[0, -1].log_softmax(-1)
    assert first.tokens[0] == likeliest.argmax()
    assert first.logprobs[0] == pytest.approx(likeliest.max().item(), abs=1e-4)


def test_the_older_route_samples_the_same(served: tuple[TrainConfig, list[str]], both: tuple[Policy, Sampler]):
    policy, sampler = both
    older = by_hand(served, policy, generates_tokens=False)
    wanted, found = (each.sample(PROMPTS, request("step-0")) for each in (sampler, older))
    assert [[s.tokens for s in group] for group in found] == [[s.tokens for s in group] for group in wanted]
    assert difference(policy, found).mean() <= 1e-4
    with pytest.raises(WrongWeights, match="holds 'step-0' and was asked for 'step-1'"):
        older.sample(PROMPTS[:1], request("step-1"))
    older.close()


def test_a_sample_of_other_weights_than_asked_for_is_refused(both: tuple[Policy, Sampler]):
    with pytest.raises(WrongWeights, match="sampled with 'step-0' and was asked for 'step-1'"):
        both[1].sample(PROMPTS, request("step-1"))


def test_a_server_that_missed_the_weights_is_named(served: tuple[TrainConfig, list[str]], both: tuple[Policy, Sampler]):
    policy, _ = both
    Optimiser(policy.model).step()
    halfway = by_hand(served, policy, reached=1)
    with pytest.raises(WrongWeights, match=f"{served[1][1]} and {served[1][0]} hold different"):
        halfway.take_weights(policy.model, "step-1")
    halfway.close()


def test_servers_that_agree_on_the_wrong_weights_are_named(
    served: tuple[TrainConfig, list[str]], both: tuple[Policy, Sampler]
):
    policy, _ = both
    Optimiser(policy.model).step()
    nowhere = by_hand(served, policy, reached=0)
    with pytest.raises(WrongWeights, match=r"holds another .*norm.weight than it was sent"):
        nowhere.take_weights(policy.model, "step-1")
    nowhere.close()


def test_servers_go_on_after_a_sync_that_failed(served: tuple[TrainConfig, list[str]], both: tuple[Policy, Sampler]):
    policy, _ = both
    Optimiser(policy.model).step()
    halfway = by_hand(served, policy, reached=1)
    with pytest.raises(WrongWeights):
        halfway.take_weights(policy.model, "step-1")
    halfway.close()
    assert [httpx.get(f"{url}/is_paused").json() for url in served[1]] == [{"is_paused": False}] * 2
    names = [httpx.get(f"{url}/weight_info").json()["weight_version"] for url in served[1]]
    assert names == ["unfinished step-1"] * 2, "half a sync must not pass for the old weights, nor for the new ones"


def test_servers_that_a_dead_trainer_left_paused_are_taken_over(served: tuple[TrainConfig, list[str]]):
    for url in served[1]:
        httpx.post(f"{url}/pause?mode=keep").raise_for_status()
    with sampling(asking(*served)) as (policy, sampler):
        assert difference(policy, sampler.sample(PROMPTS, request("step-0"))).mean() <= 1e-4


def test_a_prefix_of_old_weights_is_not_used_again(both: tuple[Policy, Sampler]):
    policy, sampler = both
    sampler.sample(PROMPTS, request("step-0"))  # fills the caches of prefixes
    Optimiser(policy.model, lr=0.05).step()
    sampler.take_weights(policy.model, "step-1")
    assert difference(policy, sampler.sample(PROMPTS, request("step-1"))).mean() <= 1e-4


def test_a_server_that_is_down_is_named_before_anything_is_sampled(served: tuple[TrainConfig, list[str]]):
    config = asking(served[0], [served[1][0], "http://127.0.0.1:9"])
    with pytest.raises(ConfigError, match=r"no answer from the vLLM server at http://127\.0\.0\.1:9"), sampling(config):
        pass


def test_another_precision_or_too_little_room_is_refused_at_once(served: tuple[TrainConfig, list[str]]):
    policy = load_policy(served[0].model)
    bfloat16 = asking(*served, dtype="bfloat16")
    with pytest.raises(ConfigError, match="computes in float32"), built_sampler(bfloat16, policy):
        pass
    longer = served[0].model_copy(update={"sampling": served[0].sampling.model_copy(update={"max_new_tokens": 400})})
    wanted = asking(longer, served[1])
    with pytest.raises(ConfigError, match=r"room for 88 tokens, .* may have 464"), built_sampler(wanted, policy):
        pass


@pytest.mark.parametrize(
    "name", ["../../etc", "/etc", "assay-weights-00/1", f"{PREFIX}{'0' * 32}/1/../../..", f"{PREFIX}{'0' * 32}/1"]
)
def test_a_server_loads_no_file_of_a_strangers_choice(served: tuple[TrainConfig, list[str]], name: str):
    replica = Replica(served[1][0], timeout_s=60)
    with pytest.raises(ServerLost, match="answered 500"):
        replica.call("load_shared_weights", name=name, checked=False)
    replica.close()


def test_nothing_stays_in_shared_memory(served: tuple[TrainConfig, list[str]]):
    with sampling(asking(*served)):
        assert list(SHARED_MEMORY.glob(f"{PREFIX}*"))
    assert not list(SHARED_MEMORY.glob(f"{PREFIX}*"))
