"""New weights while completions are under way, with two real vLLM servers."""

import threading
from collections.abc import Callable

import torch
from real_vllm import PROMPTS, Optimiser, asking, difference, request, sampling

from trainer.config import TrainConfig
from trainer.models import load_policy
from trainer.pipeline.section import PipelineSection
from trainer.samplers import Sample

NEAR = 1e-3
Serve = Callable[..., tuple[TrainConfig, list[str]]]


def keeping(config: TrainConfig, urls: list[str]) -> TrainConfig:
    """The same run, whose completions go on with new weights."""
    return asking(config, urls).model_copy(update={"pipeline": PipelineSection(max_staleness=1, update="keep")})


def test_completions_under_way_go_on_with_new_weights_and_bear_the_name_of_the_oldest(serve: Serve):
    config, urls = serve("float32", 2)
    old, drawn, begun = load_policy(config.model), dict[int, list[Sample]](), threading.Event()
    long = request("step-0", group_size=128, max_new_tokens=48)
    with sampling(keeping(config, urls)) as (policy, sampler):

        def draw() -> None:
            for number, group in sampler.stream(PROMPTS, long):
                drawn[number] = group
                begun.set()

        under_way = threading.Thread(target=draw)
        under_way.start()
        assert begun.wait(60)
        Optimiser(policy.model, lr=0.05).step()
        sampler.take_weights(policy.model, "step-1")
        under_way.join()
        after = sampler.sample(PROMPTS, request("step-1"))
    assert difference(policy, after).mean() <= 1e-4
    groups = [drawn[number] for number in range(len(PROMPTS))]
    by_old, by_new = (difference(each, groups) <= NEAR for each in (old, policy))
    assert bool((by_old | by_new).all()), "a token was made by neither weights"
    place, mixed, names = 0, 0, set()
    for sample in (sample for group in groups for sample in group):
        newer = by_new[place : place + len(sample.tokens)] & ~by_old[place : place + len(sample.tokens)]
        place += len(sample.tokens)
        began_old = sample.weight_version == "step-0"
        names.add(sample.weight_version)
        mixed += began_old and bool(newer.any())
        first = int(torch.nonzero(newer)[0]) if bool(newer.any()) else len(newer)
        assert not bool((~newer & ~by_new[place - len(newer) : place])[first:].any()), "old weights came back"
    assert names == {"step-0", "step-1"}
    assert mixed > 0
