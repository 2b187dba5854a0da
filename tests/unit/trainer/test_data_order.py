import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewarders.types import Message, Task
from trainer.data import TaskOrder, indices_for_step
from trainer.data.reading import SourceTasks
from trainer.data.section import JsonlSource, weight_at


def source(name, size, difficulty=(), **options):
    tasks = tuple(
        Task(id=f"{name}{i}", prompt=(Message(role="user", content=f"{name} {i}"),), rubric="math.v1")
        for i in range(size)
    )
    if difficulty:
        options |= {"difficulty": "d"}
    return SourceTasks(JsonlSource(kind="jsonl", name=name, path="p", **options), tasks, (), tuple(difficulty))


def ids(tasks):
    return [task.id for task in tasks]


def test_every_row_is_seen_once_an_epoch_even_where_a_step_straddles_two():
    drawn = [index for step in range(10) for index in indices_for_step(7, seed=1, step=step, count=4)]
    for epoch in range(5):
        assert sorted(drawn[7 * epoch : 7 * epoch + 7]) == list(range(7))


def test_the_order_follows_from_seed_and_step_alone():
    assert indices_for_step(100, seed=1, step=50, count=8) == indices_for_step(100, seed=1, step=50, count=8)
    assert indices_for_step(100, seed=1, step=50, count=8) != indices_for_step(100, seed=2, step=50, count=8)


def test_the_order_of_one_source_is_what_it_has_always_been():
    assert indices_for_step(10, seed=3, step=1, count=7) == [1, 6, 8, 4, 7, 1, 3]


@pytest.mark.parametrize("rounds", [1, 3])
def test_one_source_is_drawn_from_as_if_there_were_no_mixture(rounds):
    order = TaskOrder([source("a", 11)], seed=5, prompts_per_step=4, rounds=rounds)
    for step in (7, 1, 2, 30):
        for turn in range(rounds):
            place = (step - 1) * rounds + turn
            expected = [f"a{row}" for row in indices_for_step(11, seed=5, step=place, count=4)]
            assert ids(order.for_step(step, turn)) == expected


def mixture(**options):
    sources = [source("a", 13, weight=0.6), source("b", 7, weight=((0, 1.0), (20, 0.0))), source("c", 5, weight=0.1)]
    return TaskOrder(sources, **({"seed": 1, "prompts_per_step": 6} | options))


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_resumed_run_draws_what_it_would_have_drawn(rounds):
    whole = mixture(rounds=rounds)
    drawn = {(step, turn): ids(whole.for_step(step, turn)) for step in range(1, 60) for turn in range(rounds)}
    for step, turn in random.Random(0).sample(sorted(drawn), 20):
        assert ids(mixture(rounds=rounds).for_step(step, turn)) == drawn[step, turn]


@pytest.mark.parametrize("rounds", [1, 3])
def test_each_source_gives_every_row_before_any_twice(rounds):
    order = mixture(rounds=rounds)
    drawn = [task for step in range(1, 80) for turn in range(rounds) for task in ids(order.for_step(step, turn))]
    for name, size in {"a": 13, "b": 7, "c": 5}.items():
        of_source = [task for task in drawn if task[0] == name]
        whole = len(of_source) // size
        assert whole > 1
        for epoch in range(whole):
            assert len(set(of_source[epoch * size : (epoch + 1) * size])) == size


weights = st.lists(st.integers(0, 20), min_size=2, max_size=5).filter(lambda found: sum(found) > 0)


@given(weights=weights, prompts=st.integers(1, 9))
def test_shares_are_kept_to_within_the_number_of_sources(weights, prompts):
    sources = [source("abcde"[place], 50, weight=float(weight)) for place, weight in enumerate(weights)]
    order, steps = TaskOrder(sources, seed=0, prompts_per_step=prompts), 30
    drawn = Counter(task.id[0] for step in range(1, steps + 1) for task in order.for_step(step))
    for tasks in sources:
        due = steps * prompts * weight_at(tasks.source, 0) / sum(weights)
        assert abs(drawn[tasks.source.name] - due) < len(sources)
        assert due > 0 or drawn[tasks.source.name] == 0


def test_a_schedule_moves_the_shares_step_by_step():
    order = TaskOrder(
        [source("a", 9), source("b", 9, weight=((0, 0.0), (10, 0.0), (11, 3.0)))], seed=0, prompts_per_step=8
    )
    assert [Counter(task.id[0] for task in order.for_step(step))["b"] for step in (1, 11, 12, 13)] == [0, 0, 6, 6]


def test_a_source_whose_weight_has_gone_is_not_drawn_from_to_make_up_for_its_share():
    sources = [source("a", 9, weight=((0, 0.49), (1, 0.0))), source("b", 9, weight=0.5), source("c", 9, weight=0.01)]
    order = TaskOrder(sources, seed=0, prompts_per_step=1)
    assert "a" not in {order.for_step(step)[0].id[0] for step in range(2, 100)}


def test_rounds_of_a_step_share_its_mixture_and_no_row():
    order = TaskOrder([source("a", 50), source("b", 50)], seed=0, prompts_per_step=1, rounds=2)
    for step in range(1, 20):
        first, second = ids(order.for_step(step, 0)), ids(order.for_step(step, 1))
        assert first[0][0] == second[0][0]
        assert first != second


def test_sources_of_one_size_are_shuffled_apart():
    order = TaskOrder([source("a", 40), source("b", 40)], seed=0, prompts_per_step=40)
    drawn = ids(order.for_step(1))
    assert [name[1:] for name in drawn if name[0] == "a"] != [name[1:] for name in drawn if name[0] == "b"]


def test_easy_rows_come_first_and_nothing_else_changes():
    hardness = [float(value) for value in random.Random(1).sample(range(100), 30)]
    plain = TaskOrder([source("a", 30)], seed=2, prompts_per_step=4)
    eased = TaskOrder([source("a", 30, hardness, easy_first_steps=5)], seed=2, prompts_per_step=4)
    usual = [task for step in range(1, 20) for task in ids(plain.for_step(step))]
    found = [task for step in range(1, 20) for task in ids(eased.for_step(step))]
    levels = [hardness[int(task[1:])] for task in found[:20]]
    assert levels == sorted(levels)
    assert sorted(found[:20]) == sorted(usual[:20])
    assert found[20:] == usual[20:]


def test_an_easy_beginning_over_several_epochs_still_shows_each_row_once_an_epoch():
    eased = TaskOrder([source("a", 5, [5, 4, 3, 2, 1], easy_first_steps=3)], seed=2, prompts_per_step=4)
    drawn = [task for step in range(1, 5) for task in ids(eased.for_step(step))]
    assert drawn[:10] == ["a4", "a3", "a2", "a1", "a0"] * 2
    assert sorted(drawn[10:15]) == ["a0", "a1", "a2", "a3", "a4"]
