import pytest
import torch

from rewarders.types import FinishReason
from trainer.samplers import SampleRequest
from trainer.samplers.hf import HfSampler, choose_tokens
from trainer.samplers.kv_cache import BLOCK, GrowingLayer

PROMPTS = [[4, 6, 7, 8, 2, 5], [4, 6, 2, 5], [4, 9, 9, 9, 9, 2, 5]]


def request(**changes):
    fields = {"group_size": 6, "max_new_tokens": 24, "temperature": 1.0, "seed": "s", "weight_version": "v7"}
    return SampleRequest(**(fields | changes))


def flat(groups):
    return [sample for group in groups for sample in group]


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.5])
def test_reported_logprobs_are_the_policys_at_the_sampling_temperature(policy, temperature):
    groups = HfSampler(policy.model, stop_ids=policy.stop_ids).sample(PROMPTS, request(temperature=temperature))
    for prompt, group in zip(PROMPTS, groups, strict=True):
        for sample in group:
            ids = torch.tensor([[*prompt, *sample.tokens]])
            logp = (policy.model(input_ids=ids).logits[0] / temperature).log_softmax(-1)[len(prompt) - 1 : -1]
            chosen = logp.gather(1, ids[0, len(prompt) :, None]).squeeze(1)
            torch.testing.assert_close(torch.tensor(sample.logprobs), chosen, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("refill", [False, True])
@pytest.mark.parametrize("rows_at_once", [1, 6, 13])
def test_rows_decoded_together_do_not_change_what_is_drawn(policy, rows_at_once, refill):
    together = HfSampler(policy.model, stop_ids=policy.stop_ids).sample(PROMPTS * 3, request())
    few = HfSampler(policy.model, stop_ids=policy.stop_ids, rows_at_once=rows_at_once, refill=refill)
    apart = few.sample(PROMPTS * 3, request())
    assert [s.tokens for s in flat(apart)] == [s.tokens for s in flat(together)]
    torch.testing.assert_close(
        [torch.tensor(s.logprobs) for s in flat(apart)], [torch.tensor(s.logprobs) for s in flat(together)]
    )


@pytest.mark.parametrize("refill", [False, True])
def test_a_cache_that_has_to_grow_changes_nothing(policy, refill, monkeypatch):
    whole = HfSampler(policy.model, stop_ids=policy.stop_ids).sample(PROMPTS, request(max_new_tokens=60))
    monkeypatch.setattr("trainer.samplers.kv_cache.BLOCK", 4)
    few = HfSampler(policy.model, stop_ids=policy.stop_ids, rows_at_once=8, refill=refill)
    assert [s.tokens for s in flat(few.sample(PROMPTS, request(max_new_tokens=60)))] == [s.tokens for s in flat(whole)]


def test_looking_seldom_at_what_has_ended_changes_nothing(policy, monkeypatch):
    whole = HfSampler(policy.model, stop_ids=policy.stop_ids).sample(PROMPTS, request())
    monkeypatch.setattr("trainer.samplers.hf._LOOK_EVERY_ON_CPU", 8)
    for rows_at_once in (6, 512):
        sampler = HfSampler(policy.model, stop_ids=policy.stop_ids, rows_at_once=rows_at_once, refill=True)
        found = sampler.sample(PROMPTS, request())
        assert [s.tokens for s in flat(found)] == [s.tokens for s in flat(whole)]


def test_prompts_whose_neighbours_somebody_else_completes_are_completed_as_beside_them(policy):
    sampler = HfSampler(policy.model, stop_ids=policy.stop_ids)
    whole = sampler.sample(PROMPTS, request())
    assert [s.tokens for s in flat(sampler.sample(PROMPTS[1:], request(), before=1))] == [
        s.tokens for s in flat(whole[1:])
    ]


@pytest.mark.parametrize("rows_at_once", [6, 512])
def test_one_new_token_is_as_good_as_many(policy, rows_at_once):
    sampler = HfSampler(policy.model, stop_ids=policy.stop_ids, rows_at_once=rows_at_once)
    groups = sampler.sample(PROMPTS, request(max_new_tokens=1))
    assert [[len(sample.tokens) for sample in group] for group in groups] == [[1] * 6] * 3


def test_groups_come_as_they_end_the_shortest_first_where_all_are_decoded_together(policy):
    few = request(group_size=2, max_new_tokens=60)
    found = list(HfSampler(policy.model, stop_ids=policy.stop_ids).stream(PROMPTS * 4, few))
    ends = [(max(len(sample.tokens) for sample in group), prompt) for prompt, group in found]
    assert ends == sorted(ends)
    assert len({end for end, _ in ends}) > 1, "draw different lengths, or this shows nothing"
    assert sorted(prompt for _, prompt in ends) == list(range(12))


def test_a_cache_has_room_for_one_block_more_and_not_for_the_longest_completion(policy, monkeypatch):
    rooms = []
    update = GrowingLayer.update

    def noting(layer, *args, **kwargs):
        found = update(layer, *args, **kwargs)
        rooms.append((layer.get_seq_length(), layer.get_max_length()))
        return found

    monkeypatch.setattr(GrowingLayer, "update", noting)
    HfSampler(policy.model, stop_ids=policy.stop_ids).sample(PROMPTS, request(max_new_tokens=300))
    assert all(length <= room <= length + BLOCK for length, room in rooms)
    assert len({room for _, room in rooms}) > 1, "draw more tokens than a block, or this shows nothing"


def test_a_completion_ends_at_its_first_stop_token_or_at_the_limit(policy):
    samples = flat(HfSampler(policy.model, stop_ids=policy.stop_ids).sample(PROMPTS, request()))
    stop = policy.stop_ids[0]
    for sample in samples:
        stopped = sample.finish_reason is FinishReason.STOP
        assert sample.tokens.count(stop) == stopped
        assert (sample.tokens[-1] == stop) == stopped
        assert stopped or len(sample.tokens) == 24
        assert sample.weight_version == "v7"
    assert len({sample.finish_reason for sample in samples}) == 2, "draw both endings, or this shows nothing"


def test_the_seed_alone_decides_the_draws(policy):
    sampler = HfSampler(policy.model, stop_ids=policy.stop_ids)
    assert sampler.sample(PROMPTS, request()) == sampler.sample(PROMPTS, request())
    assert sampler.sample(PROMPTS, request()) != sampler.sample(PROMPTS, request(seed="other"))


def test_greedy_decoding_takes_the_likeliest_token(policy):
    ((sample,),) = HfSampler(policy.model, stop_ids=policy.stop_ids).sample(
        PROMPTS[:1], request(group_size=1, temperature=0.0)
    )
    ids = list(PROMPTS[0])
    for token in sample.tokens:
        assert token == policy.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()
        ids.append(token)


def test_evenly_spread_numbers_draw_each_token_as_often_as_its_probability():
    odds = torch.tensor([0.1, 0.0, 0.6, 0.3])
    uniforms = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    chosen, logprob = choose_tokens(odds.log().expand(1000, 4), uniforms, 1.0)
    assert chosen.bincount(minlength=4).tolist() == [100, 0, 600, 300]
    torch.testing.assert_close(logprob, odds.log()[chosen])


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_an_impossible_token_is_never_drawn_at_the_edges(uniform):
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]])
    chosen, _ = choose_tokens(logits, torch.tensor([uniform], dtype=torch.float64), 1.0)
    assert chosen.item() in (1, 2)
