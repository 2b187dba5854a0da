"""Groups that agree are drawn anew, in a bounded number of rounds."""

from collections.abc import Sequence

import pytest

from env_server.schemas import ScoredItem, Status
from rewarders.types import FinishReason, Task
from trainer.gathering import Gathered, gather
from trainer.rollouts import Rollout
from trainer.samplers import Sample

SIZE = 2


def rollout(name: str, group: int, index: int) -> Rollout:
    task = Task(id=name, prompt=[{"role": "user", "content": name}], rubric="math.v1")
    sample = Sample(tokens=(1,), logprobs=(-0.1,), finish_reason=FinishReason.STOP, weight_version="step-0")
    return Rollout(task=task, prompt=(1,), group=group, index=index, sample=sample, text=name)


def gathered(rewards: Sequence[Sequence[tuple[float | None, ...]]], *, groups: int, rounds: int) -> Gathered:
    """Rewards of each round, group and completion; a round gives as many groups as are asked for."""
    asked: list[int] = []

    def draw_round(turn: int, prompts: int) -> list[Rollout]:
        asked.append(prompts)
        return [rollout(f"{turn}.{group}", group, index) for group in range(prompts) for index in range(SIZE)]

    def grade(drawn: Sequence[Rollout]) -> list[ScoredItem]:
        places = [(*map(int, each.task.id.split(".")), each.index) for each in drawn]
        known = [rewards[turn][group][index] for turn, group, index in places]
        return [ScoredItem(status=Status.SCORED, task_id=None, reward=reward) for reward in known]

    found = gather(draw_round, grade, groups=groups, rounds=rounds)
    assert len(asked) == found.rounds
    return found


def kept(found: Gathered) -> list[str]:
    chosen = [each.task.id for each, stays in zip(found.rollouts, found.kept, strict=True) if stays]
    return list(dict.fromkeys(chosen))


SAME, DIFFERENT = (1.0, 1.0), (1.0, 0.0)


def test_one_round_takes_groups_as_they_come():
    found = gathered([[SAME, DIFFERENT, SAME]], groups=3, rounds=1)
    assert (found.rounds, kept(found)) == (1, ["0.0", "0.1", "0.2"])


def test_groups_without_signal_are_drawn_anew_until_there_are_enough():
    found = gathered([[SAME, DIFFERENT, SAME], [DIFFERENT, SAME], [DIFFERENT]], groups=3, rounds=5)
    assert (found.rounds, kept(found)) == (3, ["0.1", "1.0", "2.0"])
    assert len({each.group for each in found.rollouts}) == 6


def test_the_rounds_are_bounded_and_the_batch_is_then_smaller():
    found = gathered([[SAME, DIFFERENT], [SAME]], groups=2, rounds=2)
    assert (found.rounds, kept(found)) == (2, ["0.1"])


def test_without_any_signal_the_batch_is_all_that_was_drawn():
    found = gathered([[SAME], [SAME]], groups=1, rounds=2)
    assert kept(found) == ["0.0", "1.0"]


@pytest.mark.parametrize("unscored", [(None, 1.0), (None, None)])
def test_an_unscored_rollout_is_no_disagreement(unscored: tuple[float | None, ...]):
    found = gathered([[unscored], [DIFFERENT]], groups=1, rounds=2)
    assert kept(found) == ["1.0"]
