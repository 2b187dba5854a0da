"""What a step takes of what is under way, and what a checkpoint keeps of it."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from env_server.schemas import ScoredItem, Status
from rewarders.errors import CheckpointMismatch, ConfigError, InvalidTask
from rewarders.types import FinishReason
from trainer.checkpoint import IN_FLIGHT
from trainer.config import TrainConfig
from trainer.pipeline.choices import CHOICES, Choices
from trainer.pipeline.in_flight import read_in_flight, written
from trainer.pipeline.pipeline import Pipeline
from trainer.pipeline.portions import Portion
from trainer.pipeline.sharing import part_of
from trainer.pipeline.snapshots import Snapshots
from trainer.pipeline.supply import Source
from trainer.pipeline.turns import Turns, cores_suffice
from trainer.rollouts import Rollout
from trainer.samplers import Sample

GROUPS, SIZE = 3, 2


def settings(tmp_path: Path, **sections: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "run": {"dir": tmp_path / "run", "steps": 6},
            "model": {"path": "none"},
            "data": {"tasks": "none.jsonl"},
            "algorithm": {"name": "grpo"},
            "correction": {"kind": "truncate"},
            "sampling": {"prompts_per_step": GROUPS, "group_size": SIZE},
            **sections,
        }
    )


class Drawn:
    """A source whose draws are made up, and whose grader can be held up; it notes which weights it was given."""

    def __init__(self, config: TrainConfig, make_task: Any, order: Sequence[int] = (0, 1, 2)) -> None:
        self.config, self.order, self.make_task = config, order, make_task
        self.policy = SimpleNamespace(model=torch.nn.Linear(1, 1), tokenizer=None, device=torch.device("cpu"))
        self.sampler = SimpleNamespace(take_weights=lambda model, version: self.taken.append(version))
        self.taken: list[str] = []
        self.held_up: dict[tuple[int, int], threading.Event] = {}
        self.graded: list[tuple[int, int]] = []

    def apart(self, sampler: Any = None) -> "Drawn":
        return self

    def groups(self, step: int, version: int) -> Iterator[list[Rollout]]:
        assert self.taken[-1] == f"step-{version}"
        for place in self.order:
            sample = Sample((1, place), (-0.1, -0.30000000000000004), FinishReason.STOP, f"step-{version}")
            task = self.make_task(f"{step}.{place}")
            yield [Rollout(task, (1,), place, index, sample, "é\u2028") for index in range(SIZE)]

    def grade(self, rollouts: Sequence[Rollout], step: int) -> list[ScoredItem]:
        place = rollouts[0].group
        if (step, place) in self.held_up:
            assert self.held_up[step, place].wait(30)
        self.graded.append((step, place))
        if rollouts[0].task.id == "2.1" and self.config.run.seed == 13:
            raise InvalidTask("task 2.1 cannot be graded")
        return [ScoredItem(status=Status.SCORED, task_id=None, reward=float(place)) for _ in rollouts]


def pipeline(source: Drawn, *, done: int = 0, in_flight: Sequence[Portion] = ()) -> Pipeline:
    choices = Choices(source.config.run.dir, going_on=done > 0)
    part = part_of(source.sampler, source.policy, source.config)
    return Pipeline(source, part, choices, done=done, in_flight=in_flight)  # type: ignore[arg-type]


def taken(found: Any) -> list[str]:
    assert [rollout.group for rollout in found.rollouts] == [
        n for n in range(len(found.rollouts) // SIZE) for _ in "ab"
    ]
    return list(dict.fromkeys(rollout.task.id for rollout in found.rollouts))


def lags(found: Any, step: int) -> set[int]:
    return {rollout.staleness(step) for rollout in found.rollouts}


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_every_step_takes_its_own_draw_whose_weights_lag_by_the_bound(tmp_path, make_task, bound):
    source = Drawn(settings(tmp_path, pipeline={"max_staleness": bound}), make_task)
    ahead = pipeline(source)
    for step in range(1, 7):
        found = ahead.gather(step)
        assert taken(found) == [f"{step}.{place}" for place in range(GROUPS)]
        assert lags(found, step) == {min(bound, step - 1)}
        ahead.take_weights(step)
    ahead.close()
    assert source.taken[: 6 - bound] == [f"step-{version}" for version in range(6 - bound)]


def test_a_straggler_does_not_hold_its_step_and_is_learnt_from_in_the_next(tmp_path, make_task):
    sections = {"max_staleness": 2, "stragglers": 1, "finished": "graded"}
    source = Drawn(settings(tmp_path, pipeline=sections), make_task)
    source.held_up[1, 1] = threading.Event()
    ahead = pipeline(source)
    assert taken(ahead.gather(1)) == ["1.0", "1.2"]
    ahead.take_weights(1)
    source.held_up[1, 1].set()
    second = ahead.gather(2)
    assert taken(second)[0] == "1.1"
    assert len(taken(second)) == GROUPS
    ahead.close()


def test_by_length_the_last_to_be_sampled_is_late_whoever_is_graded_first(tmp_path, make_task):
    source = Drawn(settings(tmp_path, pipeline={"max_staleness": 2, "stragglers": 1}), make_task, order=(2, 0, 1))
    source.held_up[1, 2] = threading.Event()
    ahead, found = pipeline(source), list[Any]()
    waiting = threading.Thread(target=lambda: found.append(ahead.gather(1)))
    waiting.start()
    source.held_up[1, 2].set()
    waiting.join(30)
    ahead.take_weights(1)
    found.append(ahead.gather(2))
    assert [taken(each) for each in found] == [["1.0", "1.2"], ["1.1", "2.0", "2.2"]]
    assert lags(found[1], 2) == {1}
    ahead.close()


def test_a_run_that_goes_on_takes_what_it_took_though_the_clock_says_otherwise(tmp_path, make_task):
    sections = {"max_staleness": 2, "stragglers": 1, "finished": "graded"}
    source = Drawn(settings(tmp_path, pipeline=sections), make_task)
    ahead = pipeline(source)
    ahead.gather(1)
    ahead.take_weights(1)
    path = tmp_path / "written" / IN_FLIGHT
    path.parent.mkdir()
    path.write_bytes(ahead.in_flight(1))
    source.held_up[2, 0] = threading.Event()
    expected = taken(ahead.gather(2))
    source.held_up[2, 0].set()
    ahead.close()
    with (source.config.run.dir / CHOICES).open("a") as log:
        log.write('{"step": 3, "gro')  # torn by the crash

    again = Drawn(source.config, make_task)
    own = [int(name[2:]) for name in expected if name.startswith("2.")]
    again.held_up[2, own[0]] = threading.Event()
    resumed = pipeline(again, done=1, in_flight=read_in_flight(path.parent))
    threading.Timer(0.2, again.held_up[2, own[0]].set).start()
    assert taken(resumed.gather(2)) == expected
    resumed.close()
    assert again.taken[0] == "step-1"


def test_a_checkpoint_keeps_what_its_weights_could_not_draw_again_bit_by_bit(tmp_path, make_task):
    source = Drawn(settings(tmp_path, pipeline={"max_staleness": 2}), make_task)
    source.held_up[3, 0] = threading.Event()
    ahead = pipeline(source)
    ahead.gather(1)
    ahead.take_weights(1)
    kept = ahead.in_flight(1)
    source.held_up[3, 0].set()
    ahead.close()
    (tmp_path / IN_FLIGHT).write_bytes(kept)
    found = read_in_flight(tmp_path)
    assert {(portion.draw, portion.place) for portion in found} == {(d, p) for d in (2, 3) for p in range(GROUPS)}
    assert [portion.graded for portion in found if (portion.draw, portion.place) == (3, 0)] == [None]
    assert written(found) == kept
    assert {rollout.sample.logprobs for portion in found for rollout in portion.rollouts} == {
        (-0.1, -0.30000000000000004)
    }


def test_what_was_not_learnt_from_when_a_detector_spoke_is_kept_as_well(tmp_path, make_task):
    ahead = pipeline(Drawn(settings(tmp_path, pipeline={"max_staleness": 1}), make_task))
    ahead.gather(1)
    ahead.take_weights(1)
    ahead.gather(2)
    (tmp_path / IN_FLIGHT).write_bytes(ahead.in_flight(1))
    ahead.close()
    assert {portion.draw for portion in read_in_flight(tmp_path)} == {2}


def test_a_thread_that_fails_ends_the_step_that_needs_it_and_no_other(tmp_path, make_task):
    config = settings(tmp_path, pipeline={"max_staleness": 2})
    source = Drawn(config.model_copy(update={"run": config.run.model_copy(update={"seed": 13})}), make_task)
    source.held_up[2, 1] = threading.Event()
    ahead = pipeline(source)
    assert len(taken(ahead.gather(1))) == GROUPS
    ahead.take_weights(1)
    source.held_up[2, 1].set()
    with pytest.raises(InvalidTask, match=r"task 2\.1 cannot be graded"):
        ahead.gather(2)
    ahead.close()


def test_an_unreadable_file_of_rollouts_is_named(tmp_path):
    (tmp_path / IN_FLIGHT).write_text('{"draw": 1}\n')
    with pytest.raises(CheckpointMismatch, match=IN_FLIGHT):
        read_in_flight(tmp_path)


def test_a_snapshot_stays_as_it_was_and_is_used_again():
    model = torch.nn.Linear(2, 2)
    snapshots = Snapshots(model)
    before, snapshot = model.weight.detach().clone(), snapshots.take()
    with torch.no_grad():
        model.weight += 1
    assert snapshot.weight.equal(before)
    assert not snapshot.weight.requires_grad
    other = snapshots.take()
    snapshots.give_back(snapshot)
    assert snapshots.take() is snapshot
    assert snapshot.weight.equal(model.weight)
    assert other is not snapshot


def test_two_that_compute_at_once_need_a_core_for_each_thread(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert [cores_suffice(threads) for threads in (1, 2, 3, 4)] == [True, True, False, False]


def test_ranks_of_one_host_have_its_cores_between_them(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert [cores_suffice(threads) for threads in (1, 2, 3, 4)] == [True, True, False, False]


def test_on_one_processor_the_sampler_waits_while_the_learner_has_its_turn():
    turns, went_on = Turns(needed=True), threading.Event()

    def sample() -> None:
        with turns.sampling():
            went_on.set()

    turns.begin_learning()
    sampler = threading.Thread(target=sample)
    sampler.start()
    assert not went_on.wait(0.2)
    turns.end_learning()
    turns.end_learning()
    sampler.join(30)
    assert went_on.is_set()


def test_a_step_that_is_given_up_lets_the_sampler_finish_what_the_checkpoint_needs(tmp_path, make_task):
    ahead = pipeline(Drawn(settings(tmp_path, pipeline={"max_staleness": 3}), make_task))
    ahead.gather(1)
    ahead.take_weights(1)
    ahead.gather(2)
    assert len(ahead.in_flight(1).splitlines()) == 3 * GROUPS
    ahead.close()


def test_on_one_processor_a_round_of_dapo_waits_for_the_learner_and_its_grading_does_not(
    tmp_path, policy, make_task, monkeypatch
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    algorithm = {"name": "dapo", "sampling_rounds": 2}
    config = settings(tmp_path, pipeline={"max_staleness": 1}, algorithm=algorithm, model={"path": "x"})
    learning, second_round = threading.Event(), threading.Event()

    def sample(prompts: Sequence[Any], request: Any) -> list[list[Sample]]:
        if request.seed == "0/2/1":
            second_round.set()
        one = Sample((7,), (-0.1,), FinishReason.STOP, request.weight_version)
        return [[one] * SIZE for _ in prompts]

    def grade(rollouts: Sequence[Rollout], run: Any) -> list[ScoredItem]:
        if run.step == 2:
            assert learning.wait(30)
        return [ScoredItem(status=Status.SCORED, task_id=None, reward=0.0) for _ in rollouts]

    order = SimpleNamespace(for_step=lambda step, turn: [make_task(f"{step}.{place}") for place in range(GROUPS)])
    sampler = SimpleNamespace(take_weights=lambda model, version: None, sample=sample)
    ahead = pipeline(Source(config, policy, order, sampler, SimpleNamespace(grade=grade)))  # type: ignore[arg-type]
    assert ahead.gather(1).rounds == 2
    learning.set()
    ahead.take_weights(1)
    assert not second_round.wait(0.2)
    assert ahead.gather(2).rounds == 2
    ahead.close()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"pipeline": {"max_staleness": 1}, "correction": {"kind": "none"}}, "set correction.kind"),
        ({"pipeline": {"max_staleness": 1, "stragglers": 1}}, "max_staleness = 2 or more"),
        ({"pipeline": {"max_staleness": 2, "stragglers": 3}}, "below sampling.prompts_per_step = 3"),
        ({"pipeline": {"stragglers": 1}}, "max_staleness = 2 or more"),
        ({"pipeline": {"grading_requests": 2}}, "no effect without"),
        ({"pipeline": {"max_staleness": 2, "finished": "graded"}}, "without stragglers nobody is"),
        (
            {
                "pipeline": {"max_staleness": 1, "grading_requests": 2},
                "algorithm": {"name": "dapo", "sampling_rounds": 2},
            },
            "graded in turn",
        ),
        ({"pipeline": {"max_staleness": 1, "update": "keep"}}, "is for vllm_server"),
        ({"pipeline": {"max_staleness": 1}, "sampler": {"kind": "vllm_colocated"}}, "takes turns by itself"),
        (
            {
                "pipeline": {"max_staleness": 2, "stragglers": 1},
                "algorithm": {"name": "dapo", "sampling_rounds": 2},
            },
            "one round of sampling",
        ),
    ],
)
def test_what_cannot_be_pipelined_is_refused(tmp_path, sections, said):
    with pytest.raises((ValueError, ConfigError), match=said):
        settings(tmp_path, **sections)
