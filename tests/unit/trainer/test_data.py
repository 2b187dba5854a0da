import json

import pytest

from rewarders.errors import ConfigError
from trainer.config import DataSection
from trainer.data import indices_for_step, load_task_set, prompt_digest


def write(path, tasks):
    path.write_text("".join(task.model_dump_json(exclude_none=True) + "\n" for task in tasks))
    return path


def test_the_held_out_split_is_kept_apart(tmp_path, make_task):
    tasks = [make_task("a", "1"), make_task("b", "2", split="test"), make_task("c", "3", split="train")]
    found = load_task_set(DataSection(tasks=write(tmp_path / "t.jsonl", tasks)))
    assert [task.id for task in found.train] == ["a", "c"]
    assert [task.id for task in found.held_out] == ["b"]


def test_a_held_out_prompt_that_is_trained_on_is_refused_by_name(tmp_path, make_task):
    tasks = write(tmp_path / "t.jsonl", [make_task("learnt", "1+1=")])
    held_out = write(tmp_path / "h.jsonl", [make_task("judged", "1+1=")])
    with pytest.raises(ConfigError, match="held-out task judged has the prompt of training task learnt"):
        load_task_set(DataSection(tasks=tasks, held_out=held_out))


def test_another_reference_does_not_make_another_prompt(make_task):
    assert prompt_digest(make_task("a")) == prompt_digest(make_task("b").model_copy(update={"reference": 3}))


@pytest.mark.parametrize("line", ["{", json.dumps({"id": "x"}), json.dumps({"id": "x", "prompts": []})])
def test_a_line_that_is_no_task_is_named_by_its_number(tmp_path, make_task, line):
    path = write(tmp_path / "t.jsonl", [make_task()])
    path.write_text(path.read_text() + "\n" + line + "\n")
    with pytest.raises(ConfigError, match=r"t\.jsonl, line 3"):
        load_task_set(DataSection(tasks=path))


def test_nothing_to_train_on_is_refused(tmp_path, make_task):
    path = write(tmp_path / "t.jsonl", [make_task(split="test")])
    with pytest.raises(ConfigError, match="no task to train on"):
        load_task_set(DataSection(tasks=path))


def test_every_row_is_seen_once_an_epoch_even_where_a_step_straddles_two():
    drawn = [index for step in range(10) for index in indices_for_step(7, seed=1, step=step, count=4)]
    for epoch in range(5):
        assert sorted(drawn[7 * epoch : 7 * epoch + 7]) == list(range(7))


def test_the_order_follows_from_seed_and_step_alone():
    assert indices_for_step(100, seed=1, step=50, count=8) == indices_for_step(100, seed=1, step=50, count=8)
    assert indices_for_step(100, seed=1, step=50, count=8) != indices_for_step(100, seed=2, step=50, count=8)
