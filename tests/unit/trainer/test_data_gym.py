import pytest

from rewarders.errors import ConfigError
from trainer.config import DataSection
from trainer.data import load_task_set

gym = pytest.importorskip("reasoning_gym", reason="needs the extra `reasoning-gym`")


def load(**options):
    given = {"kind": "reasoning_gym", "name": "g", "dataset": "spell_backward", "size": 5, "rubric": "gym.v1"}
    return load_task_set(DataSection(sources=[given | options]))


def test_the_reference_carries_what_the_librarys_scorer_needs():
    found = load(held_out_rows=2, options={"min_word_len": 5})
    assert (len(found.train), len(found.held_out)) == (3, 2)
    reference = found.train[0].reference
    score = gym.get_score_answer_fn(reference["dataset"])
    assert score(reference["entry"]["answer"], reference["entry"]) == 1.0
    assert score("something else", reference["entry"]) < 1.0
    assert found.train[0].prompt[-1].content == reference["entry"]["question"]


def test_the_answer_alone_is_what_a_maths_rubric_reads():
    found = load(dataset="chain_sum", reference="answer", rubric="math.v1", system="Be brief.")
    assert set(found.train[0].reference) == {"answer"}
    assert found.train[0].prompt[0].content == "Be brief."


def test_seed_and_options_alone_decide_the_tasks():
    assert load().digests == load().digests
    assert load().digests != load(seed=1).digests


def test_a_generator_without_single_answers_has_none_to_compare_with():
    assert load(dataset="graph_color").train[0].reference["entry"]["answer"] is None
    with pytest.raises(ConfigError, match="data source g, row 0: graph_color has no single answer"):
        load(dataset="graph_color", reference="answer")


@pytest.mark.parametrize(
    "options", [{"dataset": "absent"}, {"options": {"colour": 1}}, {"options": {"min_word_len": -1}}]
)
def test_what_the_library_does_not_make_is_named(options):
    with pytest.raises(ConfigError, match=r"data source g: reasoning-gym's (absent|spell_backward): "):
        load(**options)


def test_the_difficulty_may_be_anything_in_the_entry():
    found = load(difficulty="metadata.word_len", easy_first_steps=2)
    assert found.sources[0].difficulty == tuple(
        float(t.reference["entry"]["metadata"]["word_len"]) for t in found.train
    )
