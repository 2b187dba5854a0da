import json
import re
import tomllib
from pathlib import Path

import pytest

from rewarders.errors import ConfigError
from rewarders.types import Message
from trainer.config import DataSection
from trainer.config_file import load_config
from trainer.data import load_task_set, prompt_digest, write_tasks
from trainer.data.section import AnySource, HubSource, Lookup, weight_at


def write(path, tasks):
    path.write_text("".join(task.model_dump_json(exclude_none=True) + "\n" for task in tasks))
    return path


def jsonl(name, path, **more):
    return {"kind": "jsonl", "name": name, "path": path, **more}


def test_the_held_out_split_is_kept_apart(tmp_path, make_task):
    tasks = [make_task("a", "1"), make_task("b", "2", split="test"), make_task("c", "3", split="train")]
    found = load_task_set(DataSection(tasks=write(tmp_path / "t.jsonl", tasks)))
    assert [task.id for task in found.train] == ["a", "c"]
    assert [task.id for task in found.held_out] == ["b"]


def test_the_last_rows_can_be_held_out_and_their_difficulty_goes_with_them(tmp_path, make_task):
    tasks = [make_task(str(i), f"{i}").model_copy(update={"reference": {"level": i}}) for i in range(5)]
    path = write(tmp_path / "t.jsonl", tasks)
    source = jsonl("s", path, held_out_rows=2, difficulty="reference.level", easy_first_steps=1)
    found = load_task_set(DataSection(sources=[source]))
    assert [task.id for task in found.held_out] == ["3", "4"]
    assert found.sources[0].difficulty == (0.0, 1.0, 2.0)
    with pytest.raises(ConfigError, match="held_out_rows = 5 leaves nothing of 5 rows"):
        load_task_set(DataSection(sources=[jsonl("s", path, held_out_rows=5)]))


@pytest.mark.parametrize("judged", ["What is 1+1 =", "  what   IS 1+1 =\n", "Ｗhat is 1+1 ="])
def test_a_held_out_prompt_that_is_trained_on_is_refused_by_name_however_it_is_written(tmp_path, make_task, judged):
    tasks = write(tmp_path / "t.jsonl", [make_task("learnt", "What is 1+1 =")])
    held_out = write(tmp_path / "h.jsonl", [make_task("judged", judged)])
    with pytest.raises(ConfigError, match="held-out task judged has the prompt of training task learnt"):
        load_task_set(DataSection(tasks=tasks, held_out=held_out))


def test_another_source_with_another_system_prompt_hides_no_held_out_task(tmp_path, make_task):
    plain = make_task("learnt", "1+1=")
    dressed = make_task("judged", "1+1=", split="test")
    dressed = dressed.model_copy(update={"prompt": (Message(role="system", content="Be brief."), *dressed.prompt)})
    sources = [jsonl("a", write(tmp_path / "a", [plain])), jsonl("b", write(tmp_path / "b", [dressed]))]
    with pytest.raises(ConfigError, match="held-out task judged"):
        load_task_set(DataSection(sources=sources))


def test_overlapping_and_repeated_tasks_are_counted_and_left_out_as_asked(tmp_path, make_task):
    first = [make_task("a", "1"), make_task("b", "2"), make_task("again", " 1")]
    second = [make_task("c", "2"), make_task("d", "3"), make_task("e", "3"), make_task("t", "3", split="test")]
    sources = [jsonl("x", write(tmp_path / "x", first)), jsonl("y", write(tmp_path / "y", second))]
    kept = load_task_set(DataSection(sources=sources, overlap="drop"))
    assert [task.id for task in kept.train] == ["a", "b", "again", "c"]
    assert (kept.duplicates, kept.overlapping) == (2, 2)
    dropped = load_task_set(DataSection(sources=sources, overlap="drop", duplicates="drop"))
    assert [task.id for task in dropped.train] == ["a", "b"]
    assert (dropped.duplicates, dropped.overlapping) == (2, 2)
    assert [tasks.source.name for tasks in dropped.sources] == ["x"]


def test_a_mixture_whose_weighted_source_is_left_without_tasks_is_refused(tmp_path, make_task):
    empty, full = write(tmp_path / "x", [make_task("t", split="test")]), write(tmp_path / "y", [make_task("a", "2")])
    sources = [jsonl("x", empty), jsonl("y", full, weight=[[0, 0], [10, 1]])]
    with pytest.raises(ConfigError, match="at step 0 no source that has training tasks has a weight"):
        load_task_set(DataSection(sources=sources))


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


def test_the_digest_of_what_is_trained_on_follows_rows_weights_and_order(tmp_path, make_task):
    tasks = [make_task(str(i), f"{i}").model_copy(update={"reference": {"level": i}}) for i in range(3)]
    a, b = write(tmp_path / "a", tasks[:2]), write(tmp_path / "b", tasks[2:])

    def trained(**more):
        return load_task_set(DataSection(sources=[jsonl("a", a), jsonl("b", b, **more)])).digests["train"]

    easy = {"difficulty": "reference.level", "easy_first_steps": 5}
    found = [trained(), trained(weight=2), trained(weight=[[0, 1], [9, 2]]), trained(**easy)]
    assert len({*found, load_task_set(DataSection(tasks=a)).digests["train"]}) == 5
    alone = [load_task_set(DataSection(sources=[jsonl("a", a, **more)])).digests["train"] for more in ({}, easy)]
    assert alone[0] != alone[1]
    named = load_task_set(DataSection(sources=[jsonl("other", a)])).digests
    assert named["train"] == load_task_set(DataSection(tasks=a)).digests["train"] == named["train/other"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "give either tasks or"),
        ('tasks = "t"\nsources = [{kind = "jsonl", name = "a", path = "t"}]', "give either tasks or"),
        ('sources = [{kind = "parquet", name = "a"}]', r"data\.sources\.0"),
        ('sources = [{kind = "jsonl", name = "a", path = "t", weight = -1}]', r"weight"),
        ('sources = [{kind = "jsonl", name = "a", path = "t", weight = inf}]', r"weight"),
        ('sources = [{kind = "jsonl", name = "a", path = "t", easy_first_steps = 1000000000}]', "easy_first_steps"),
        ('sources = [{kind = "jsonl", name = "a", path = "t", weight = [[5, 1.0], [5, 2.0]]}]', "have to rise"),
        ('sources = [{kind = "jsonl", name = "a", path = "t", weight = 0.0}]', "at step 0 no source has a weight"),
        ('sources = [{kind = "jsonl", name = "a", path = "t", difficulty = "x"}]', "go together"),
        ('sources = [{kind = "jsonl", name = "a", path = "t"}, {kind = "jsonl", name = "a", path = "u"}]', "same name"),
        ('sources = [{kind = "huggingface", name = "a", path = "t", rubric = "r"}]', "either prompt or messages"),
        (
            'sources = [{kind = "huggingface", name = "a", path = "t", rubric = "r", prompt = "{q!r}"}]',
            "name of a column and nothing else",
        ),
        ('sources = [{kind = "huggingface", name = "a", path = "t", rubric = "r", prompt = "}"}]', "Single '}'"),
        ('sources = [{kind = "huggingface", name = "a", path = "t", rubric = "r", prompt = "Hi"}]', "ask the same"),
        (
            'sources = [{kind = "huggingface", name = "a", path = "t", rubric = "r", prompt = "{q}",'
            ' reference = {answer = [{column = "a", after = "####"}]}}]',
            "a lookup: after Extra",
        ),
    ],
)
def test_a_wrong_source_is_named_before_anything_is_read(tmp_path, data, message):
    class Whole(Lookup.__base__):
        data: DataSection

    path = tmp_path / "run.toml"
    path.write_text("[data]\n" + data)
    with pytest.raises(ConfigError, match=message):
        load_config(Whole, path)


def test_weights_run_straight_between_their_points_and_stay_after_the_last(tmp_path):
    section = DataSection(sources=[jsonl("a", "t", weight=[[10, 1.0], [20, 0.0], [30, 4.0]]), jsonl("b", "u")])
    steps = (0, 10, 15, 20, 25, 30, 1000)
    assert [weight_at(section.sources[0], step) for step in steps] == [1, 1, 0.5, 0, 2, 4, 4]
    assert [weight_at(section.sources[1], step) for step in steps] == [1] * 7


@pytest.mark.parametrize("section", [DataSection, Lookup, *AnySource.__origin__.__args__])
def test_every_option_of_a_source_is_explained(section):
    known = {"kind"} if section.__name__ == "JsonlSource" or section.__name__ == "GymSource" else set()
    fields = section.model_fields.items()
    assert [name for name, field in fields if not field.description and name not in known] == []


def test_shares_hold_exactly_after_many_steps(tmp_path, make_task):
    paths = [write(tmp_path / name, [make_task(name, name)]) for name in "ab"]
    found = load_task_set(DataSection(sources=[jsonl("a", paths[0], weight=3), jsonl("b", paths[1])]))
    drawn = found.order(seed=0, prompts_per_step=8).for_step(20_000)
    assert [task.id for task in drawn].count("a") == 6


def test_written_tasks_read_back_as_themselves(tmp_path, make_task):
    judged = write(tmp_path / "h", [make_task("h", "9", split="other")])
    tasks = write(tmp_path / "t", [make_task("a", "1"), make_task("b", "2", split="test")])
    found = load_task_set(DataSection(tasks=tasks, held_out=judged))
    counts = write_tasks(found, tmp_path / "out", "test")
    assert counts == {"tasks": 1, "held_out": 2, "duplicate": 0, "overlapping": 0}
    again = load_task_set(DataSection(tasks=tmp_path / "out"))
    assert again.train == found.train
    assert [task.id for task in again.held_out] == ["b", "h"]
    with pytest.raises(ConfigError, match="--out /nowhere/out: No such file"):
        write_tasks(found, Path("/nowhere/out"), "test")


def test_the_configurations_in_the_documentation_are_ones():
    text = (Path(__file__).parents[3] / "docs/data.md").read_text("utf-8")
    text = text.replace("weight = 2.0 ", "# ")  # the page shows both forms of a weight, one under the other
    whole, *options = map(tomllib.loads, re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    section = DataSection.model_validate(whole["data"])
    for more in options:
        HubSource.model_validate(section.sources[0].model_dump() | more)
    assert len(options) == 1
