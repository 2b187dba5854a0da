"""Real files through the real `datasets` library; nothing here has a network."""

import json
import sys

import pytest

from rewarders.errors import ConfigError
from trainer.config import DataSection
from trainer.data import load_task_set

datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
datasets.disable_progress_bars()

ROWS = [{"question": f"{i}+1=", "answer": f"so\n#### {i + 1}", "level": i % 3} for i in range(6)]


@pytest.fixture(autouse=True)
def _cache_of_this_test(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def source(path, **options):
    reference = {"answer": {"column": "answer", "text_after": "####"}}
    given = {"kind": "huggingface", "name": "s", "rubric": "math.v1", "prompt": "{question}", "reference": reference}
    return given | {"path": str(path)} | options


def load(*sources):
    return load_task_set(DataSection(sources=sources))


def parquet(path, rows=ROWS):
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_list(rows).to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["parquet", "json", "jsonl", "csv"])
def test_a_file_is_read_by_its_suffix(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        parquet(path)
    elif suffix == "csv":
        datasets.Dataset.from_list(ROWS).to_csv(path)
    else:
        path.write_text("\n".join(map(json.dumps, ROWS)))
    found = load(source(path))
    assert [task.prompt[0].content for task in found.train] == [row["question"] for row in ROWS]
    assert found.train[2].reference == {"answer": "3"}
    assert found.train[2].id == "s/train-2"


def test_splits_of_a_directory_and_slices_of_a_split(tmp_path):
    parquet(tmp_path / "set" / "train-00000-of-00001.parquet", ROWS[:4])
    parquet(tmp_path / "set" / "test-00000-of-00001.parquet", ROWS[4:])
    found = load(source(tmp_path / "set", split="train[:3]", held_out_split="test"))
    assert [task.prompt[0].content for task in found.train] == ["0+1=", "1+1=", "2+1="]
    assert [task.prompt[0].content for task in found.held_out] == ["4+1=", "5+1="]
    sliced = load(source(tmp_path / "set", split="train[1:]", held_out_split="train[:1]"))
    assert [task.prompt[0].content for task in sliced.held_out] == ["0+1="]


def test_a_source_may_be_judged_on_alone(tmp_path):
    learnt, judged = parquet(tmp_path / "a.parquet", ROWS[:3]), parquet(tmp_path / "b.parquet", ROWS[3:])
    found = load(source(learnt), source(judged, name="judged", split="", held_out_split="train"))
    assert [tasks.source.name for tasks in found.sources] == ["s"]
    assert len(found.held_out) == 3


def test_a_local_directory_is_read_without_modelscopes_library(tmp_path, monkeypatch):
    parquet(tmp_path / "set" / "train.parquet")
    monkeypatch.setitem(sys.modules, "modelscope.hub.snapshot_download", None)
    assert len(load(source(tmp_path / "set", kind="modelscope")).train) == 6


def test_a_difficulty_column_is_read_with_its_row(tmp_path):
    found = load(source(parquet(tmp_path / "r.parquet"), difficulty="level", easy_first_steps=3, held_out_rows=1))
    assert found.sources[0].difficulty == (0.0, 1.0, 2.0, 0.0, 1.0)


def test_the_row_and_the_column_that_do_not_fit_are_named(tmp_path):
    rows = [*ROWS, {"question": "?", "answer": "no answer", "level": 0}]
    with pytest.raises(ConfigError, match=r"data source s, split train, row 6: column answer has nothing after '####'"):
        load(source(parquet(tmp_path / "r.parquet", rows)))


def test_a_torn_file_an_unknown_split_and_an_unknown_suffix_are_named(tmp_path):
    whole = parquet(tmp_path / "r.parquet")
    with pytest.raises(ConfigError, match=r"r\.parquet, split 'test'"):
        load(source(whole, held_out_split="test"))
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(ConfigError, match=r"torn\.parquet, split 'train'"):
        load(source(torn))
    (tmp_path / "rows.xlsx").write_text("x")
    with pytest.raises(ConfigError, match=r"rows\.xlsx is none of \.parquet"):
        load(source(tmp_path / "rows.xlsx"))
    with pytest.raises(ConfigError, match=r"/nowhere/at/all, split 'train'"):
        load(source("/nowhere/at/all"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty, split 'train'"):
        load(source(tmp_path / "empty"))


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_missing_library_is_named_with_its_extra(monkeypatch, kind):
    monkeypatch.setitem(
        sys.modules, {"huggingface": "datasets", "modelscope": "modelscope.hub.snapshot_download"}[kind], None
    )
    with pytest.raises(ConfigError) as caught:
        load(source("some/set", kind=kind))
    assert {"huggingface": "[data]", "modelscope": "[modelscope]"}[kind] in caught.value.hint


def test_an_id_on_the_hub_is_asked_for_with_its_configuration_and_revision(monkeypatch):
    asked = []

    def load_dataset(**place):
        asked.append(place)
        return ROWS

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    load(source("openai/gsm8k", config="main", revision="abc", held_out_rows=1))
    assert asked == [{"path": "openai/gsm8k", "name": "main", "revision": "abc", "split": "train"}]


def test_a_hub_that_cannot_be_reached_is_said_with_what_to_do(monkeypatch):
    def load_dataset(**place):
        raise ConnectionError("Couldn't reach it\nand much more")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(ConfigError, match=r"data source s: some/set, split 'train': Couldn't reach it$") as caught:
        load(source("some/set"))
    assert "offline" in caught.value.hint


def test_what_modelscope_downloads_is_read_as_a_directory(tmp_path, monkeypatch):
    hub = pytest.importorskip("modelscope.hub.snapshot_download", reason="needs the extra `modelscope`")
    parquet(tmp_path / "set" / "train.parquet")
    asked = []

    def download(name, revision=None):
        asked.append((name, revision))
        return str(tmp_path / "set")

    monkeypatch.setattr(hub, "dataset_snapshot_download", download)
    assert len(load(source("some/set", kind="modelscope", revision="v1")).train) == 6
    assert asked == [("some/set", "v1")]
