"""New weights while completions are under way, with two real vLLM servers."""

import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import torch
from real_vllm import PROMPTS, Optimiser, asking, difference, request, sampling

from trainer.config import TrainConfig
from trainer.models import Policy
from trainer.pipeline.section import PipelineSection
from trainer.samplers import Sample, Sampler

NEAR = 1e-3
UPDATES = 20
Serve = Callable[..., tuple[TrainConfig, list[str]]]


def keeping(config: TrainConfig, urls: list[str]) -> TrainConfig:
    """The same run, whose completions go on with new weights."""
    return asking(config, urls).model_copy(update={"pipeline": PipelineSection(max_staleness=1, update="keep")})


def drawn_across_an_update(sampler: Sampler, policy: Policy, optimiser: Optimiser, number: int) -> list[list[Sample]]:
    """Completions of each prompt, most of them begun with the weights before this update and some after it."""
    drawn, begun = dict[int, list[Sample]](), threading.Event()
    long = request(f"step-{number - 1}", group_size=64, max_new_tokens=48)

    def draw() -> None:
        for place, group in sampler.stream(PROMPTS, long):
            drawn[place] = group
            begun.set()

    under_way = threading.Thread(target=draw)
    under_way.start()
    assert begun.wait(60)
    optimiser.step()
    sampler.take_weights(policy.model, f"step-{number}")
    under_way.join()
    return [drawn[place] for place in range(len(PROMPTS))]


def changed_on_their_way(old: Policy, new: Policy, groups: list[list[Sample]], old_name: str) -> int:
    """How many have tokens by the old weights and then by the new; each token must be by one of them, and in order."""
    by_old, by_new = (difference(each, groups) <= NEAR for each in (old, new))
    assert bool((by_old | by_new).all()), "a token was made by neither weights"
    place, changed = 0, 0
    for sample in (sample for group in groups for sample in group):
        own = slice(place, place + len(sample.tokens))
        place = own.stop
        newer = by_new[own] & ~by_old[own]
        first = int(torch.nonzero(newer)[0]) if bool(newer.any()) else len(newer)
        assert bool(by_new[own][first:].all()), "old weights came back"
        changed += sample.weight_version == old_name and bool(newer.any())
    return changed


def test_completions_under_way_go_on_with_new_weights_and_bear_the_name_of_the_oldest(serve: Serve):
    config, urls = serve("float32", 2)
    changed, names, both, number = 0, set[str](), {""}, 0
    with sampling(keeping(config, urls)) as (policy, sampler):
        optimiser = Optimiser(policy.model, lr=0.05)
        while not (changed and names == both) and number < UPDATES:  # at some updates, none is in an engine
            number += 1
            both = {f"step-{number - 1}", f"step-{number}"}
            old = replace(policy, model=deepcopy(policy.model))
            groups = drawn_across_an_update(sampler, policy, optimiser, number)
            changed = changed_on_their_way(old, policy, groups, f"step-{number - 1}")
            names = {sample.weight_version for group in groups for sample in group}
            assert names <= both
        after = sampler.sample(PROMPTS, request(f"step-{number}"))
    assert difference(policy, after).mean() <= 1e-4
    assert names == both
    assert changed > 0
