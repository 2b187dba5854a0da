from pathlib import Path

import pytest

from rewarders.errors import InvalidTask
from rewarders.registry import NoParams, Registry
from rewarders.types import Completion
from trainer.config import DataSection
from trainer.data import load_task_set

pytest.importorskip("reasoning_gym", reason="needs the extra `reasoning-gym`")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def spec(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return Registry.load([], ["examples.reasoning_gym.rewarder"]).get("reasoning_gym.score")


def reference(dataset, **options):
    source = {"kind": "reasoning_gym", "name": "g", "dataset": dataset, "size": 1, "rubric": "gym.v1"} | options
    return load_task_set(DataSection(sources=[source])).train[0].reference


@pytest.mark.parametrize("dataset", ["chain_sum", "spell_backward", "syllogism", "mini_sudoku", "zebra_puzzles"])
def test_a_generators_own_answer_is_right_and_another_is_not(spec, dataset):
    known = spec.read_reference(reference(dataset))
    right = f"<think>so</think><answer> {known.entry['answer']} </answer>"
    assert spec.function(Completion(text=right), known, NoParams()).reason == "right"
    assert spec.function(Completion(text="<answer>?!</answer>"), known, NoParams()).score < 1
    for text in (known.entry["answer"], f"<answer>{known.entry['answer']}", "<answer>" * 10**6):
        assert spec.function(Completion(text=text), known, NoParams()).reason == "no_answer"
    assert spec.check(known, NoParams()) == ()


@pytest.mark.parametrize("dataset", ["n_queens", "countdown", "puzzle24", "simple_integration", "string_insertion"])
def test_a_scorer_that_would_run_the_answer_is_never_asked(spec, tmp_path, dataset):
    known = spec.read_reference(reference(dataset))
    mark = tmp_path / "run"
    attack = f"<answer>__import__('pathlib').Path({str(mark)!r}).touch()</answer>"
    with pytest.raises(ValueError, match=f"{dataset} calls (eval|parse_expr), so an answer could be a program"):
        spec.function(Completion(text=attack), known, NoParams())
    assert not mark.exists()
    (problem,) = spec.check(known, NoParams())
    assert problem.code == "cannot_be_scored"


@pytest.mark.parametrize(
    ("dataset", "answer"), [("game_of_life", '{"a": 1}'), ("coin_flip", "1e999"), ("boxnet", "null")]
)
def test_an_answer_that_the_library_chokes_on_is_wrong_and_no_fault(spec, dataset, answer):
    known = spec.read_reference(reference(dataset))
    verdict = spec.function(Completion(text=f"<answer>{answer}</answer>"), known, NoParams())
    assert (verdict.score, verdict.reason) == (0.0, "unreadable")


def test_an_unknown_generator_is_found_before_anything_is_scored(spec):
    known = spec.read_reference({"dataset": "absent", "entry": {"answer": "1"}})
    assert spec.check(known, NoParams())[0].code == "cannot_be_scored"
    with pytest.raises(InvalidTask):
        spec.read_reference({"answer": "1"})
