"""Who draws of several ranks, as far as one process can show it; tests/integration/test_pipeline_ranks.py has them."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from env_server.schemas import ScoredItem, Status
from rewarders.errors import ConfigError
from rewarders.types import FinishReason
from trainer.config import TrainConfig
from trainer.pipeline.background import Background
from trainer.pipeline.choices import Choices
from trainer.pipeline.portions import Portion
from trainer.pipeline.sharing import Sampled, Unsent, part_of
from trainer.pipeline.under_way import UnderWay
from trainer.rollouts import Rollout
from trainer.samplers import Sample, SampleRequest
from trainer.samplers.gathered import GatheredSampler, Share
from trainer.samplers.hf import HfSampler

PROMPTS = [[4, 6, 7, 8, 2, 5], [4, 6, 2, 5], [4, 9, 9, 9, 9, 2, 5]]
REQUEST = SampleRequest(group_size=4, max_new_tokens=12, temperature=1.0, seed="s", weight_version="v1")


def settings(tmp_path: Path, **sections: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "run": {"dir": tmp_path / "run", "steps": 6},
            "model": {"path": "none"},
            "data": {"tasks": "none.jsonl"},
            "algorithm": {"name": "grpo"},
            "correction": {"kind": "truncate"},
            "sampling": {"prompts_per_step": 2, "group_size": 2},
            "pipeline": {"max_staleness": 1},
            **sections,
        }
    )


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Goes through so many ranks, and is each of them in turn."""

    def each(count: int) -> Iterator[int]:
        monkeypatch.setattr("trainer.samplers.gathered.count", lambda: count)
        for rank in range(count):
            monkeypatch.setattr("trainer.samplers.gathered.rank", lambda rank=rank: rank)
            yield rank

    return each


def tokens(groups: Sequence[Sequence[Sample]]) -> list[list[tuple[int, ...]]]:
    return [[sample.tokens for sample in group] for group in groups]


@pytest.mark.parametrize("count", [2, 5])
def test_the_shares_of_all_ranks_are_what_one_process_draws(policy, ranks, count):
    sampler = HfSampler(policy.model, stop_ids=policy.stop_ids)
    share, whole = Share(sampler), sampler.sample(PROMPTS, REQUEST)
    sampled, streamed = list[Any](), dict[int, Any]()
    for _ in ranks(count):
        sampled += share.sample(PROMPTS, REQUEST)
        streamed |= dict(share.stream(PROMPTS, REQUEST))
    assert tokens(sampled) == tokens(whole)
    assert tokens([streamed[number] for number in range(len(PROMPTS))]) == tokens(whole)


def portion(place: int, make_task: Any) -> Portion:
    sample = Sample((1, place), (-0.1, -0.2), FinishReason.STOP, "step-0")
    drawn = [Rollout(make_task(f"1.{place}"), (1,), place, index, sample, "") for index in range(2)]
    return Portion(1, place, drawn, [True] * 2)


def test_a_step_and_a_checkpoint_wait_for_what_every_rank_draws(tmp_path, make_task):
    def grade(rollouts: Sequence[Rollout], step: int) -> list[ScoredItem]:
        return [ScoredItem(status=Status.SCORED, task_id=None, reward=1.0) for _ in rollouts]

    config, background, elsewhere = settings(tmp_path), Background(), Unsent()
    source: Any = SimpleNamespace(config=config, grade=grade)
    under_way = UnderWay(source, Choices(config.run.dir, going_on=False), background, done=0, kept=(), drawers=2)
    under_way.start()
    under_way.add(portion(1, make_task))
    under_way.note_drawn(1)
    assert background.wait_for(lambda: under_way.complete(1), within_s=0.2) is None
    assert under_way.kept(1) is None

    elsewhere.add(portion(0, make_task))
    elsewhere.note_drawn(1)
    under_way.take_over(elsewhere.taken())
    found = background.wait_for(lambda: under_way.complete(1))
    assert found is not None
    assert [rollout.task.id for rollout in found.rollouts] == ["1.0", "1.0", "1.1", "1.1"]
    assert len((under_way.kept(1) or b"").splitlines()) == 2
    assert elsewhere.taken() == Sampled()
    under_way.close()


def test_waiting_for_another_rank_ends_in_time_though_something_changes_all_the_while():
    background, ended, gave_up = Background(), threading.Event(), threading.Event()

    def change() -> None:
        for _ in range(2000):
            if ended.wait(0.005):
                return
            with background.changed:
                background.changed.notify_all()
        gave_up.set()

    changing = threading.Thread(target=change)
    changing.start()
    assert background.wait_for(lambda: None, within_s=0.05) is None
    ended.set()
    changing.join()
    assert not gave_up.is_set()


def test_ranks_that_would_have_to_agree_on_a_round_while_they_learn_are_refused_by_name(tmp_path, policy):
    config = settings(tmp_path, algorithm={"name": "dapo", "sampling_rounds": 2})
    sampler = GatheredSampler(Share(HfSampler(policy.model, stop_ids=policy.stop_ids)))
    with pytest.raises(ConfigError, match="sampling_rounds = 2") as raised:
        part_of(sampler, policy, config)
    assert "vllm_server" in raised.value.hint
