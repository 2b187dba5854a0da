"""`citation.grounded`, `citation.supported` and `citation.entailed`: eligible first, then claim by claim."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from rewarders.citation import (
    CoverageParams,
    EntailedParams,
    GroundedParams,
    GroundedReference,
    SupportedParams,
    coverage,
    entailed,
    grounded,
    supported,
)
from rewarders.errors import JudgeFault
from rewarders.llm_judge.question import JudgeReply, Question
from rewarders.types import Completion, Message, Verdict

SOURCES = [
    "The river Elbe rose by 9.4 metres in August 2002 and flooded large parts of Dresden.",
    "Radar gauges have measured the flow of the river since 1998, every fifteen minutes.",
]
RIGHT = "The river rose by 9.4 metres in August 2002 [1]. Gauges have measured its flow since 1998 [2]."


def reference(**more: Any) -> GroundedReference:
    return GroundedReference.model_validate({"sources": SOURCES, **more})


def grounded_of(text: str, points: tuple[Any, ...] = (), **params: Any) -> Verdict:
    return grounded(Completion(text=text), reference(points=points), GroundedParams.model_validate(params))


def test_every_claim_is_compared_with_the_sources_that_it_cites():
    assert grounded_of(RIGHT).score == 1
    assert grounded_of(RIGHT.replace("[1]", "[2]")).score == 0.5
    assert grounded_of(RIGHT.replace(" [1]", "")).score == 0.5
    assert grounded_of(RIGHT + " All the people were brought to Leipzig [1].").score == pytest.approx(2 / 3)


@pytest.mark.parametrize("wrong", ["9.5", "94", "-9.4", "9,400"])
def test_a_claim_with_a_number_that_its_source_lacks_is_unsupported(wrong: str):
    verdict = grounded_of(RIGHT.replace("9.4", wrong))
    assert verdict.score == 0.5
    assert verdict.evidence["first"] == [{"span": [0, 47 + len(wrong) - 2], "ids": ["1"]}]


REEF = GroundedReference.model_validate({
    "sources": [
        "The Great Barrier Reef stretches for over 2,300 kilometres along the coast of Queensland, made of coral.",
        "The marine park was established in 1975 to protect the ecosystem. Tourism brings 6 billion dollars a year.",
    ]
})  # fmt: skip
TRUE = "The reef stretches 2,300 kilometres along the coast of Queensland [1]."


def reef_of(text: str) -> Verdict:
    return grounded(Completion(text=text), REEF, GroundedParams())


@pytest.mark.parametrize(
    "lie",
    ["Queensland dumped nuclear waste along the coral coast in 1998 [1].", "Aliens built the whole reef of coral [1]."],
)
def test_an_invention_between_words_of_its_source_is_unsupported(lie: str):
    assert reef_of(lie).score == 0
    assert reef_of(f"{TRUE} {lie}").score == 0.5


def test_a_sentence_that_says_little_earns_nothing_and_costs_nothing():
    assert reef_of("Coral is coral and reef is reef [1].").reason == "no_claims"
    assert reef_of(f"{TRUE} Coral is coral and reef is reef [1].").evidence["claims"] == 1
    assert reef_of("It was established in 1975 [2].").score == 1


def test_nearly_the_same_again_and_again_makes_little_of_no_invention():
    openers = ("Indeed", "Notably", "Overall", "Furthermore", "Moreover", "Clearly", "Certainly", "Importantly")
    repeated = " ".join(f"{opener}, the {TRUE[4:]}" for opener in openers)
    verdict = reef_of(f"{repeated} Aliens built the temples of Egypt [1].")
    assert (verdict.score, verdict.evidence["claims"]) == (0.5, 2)
    uncited = coverage(Completion(text=f"{repeated} Aliens built the temples of Egypt."), REEF, CoverageParams())
    assert uncited.score == 0.5


def test_each_invention_counts_however_close_to_another_claim_it_is():
    lies = "".join(f" The reef stretches 2,300 kilometres along the coast of {name} [1]." for name in ("Mars", "Oslo"))
    assert reef_of(TRUE + lies.replace("2,300", "2,301")).score == pytest.approx(1 / 3)


def test_facts_of_two_sources_in_one_sentence_are_supported_by_both_together():
    both = "The reef stretches 2,300 kilometres [1], and the marine park was established in 1975 [2]."
    assert reef_of(both).score == 1
    assert reef_of(both.replace("1975", "1976")).score == 0
    assert reef_of(both.replace("[2]", "[1]")).score == 0


def test_a_list_of_sources_at_the_end_costs_nothing():
    assert reef_of(f"{TRUE} The marine park was established in 1975 [2].\n\nSources: [1], [2]").score == 1
    assert reef_of(f"{TRUE}\n\n1899 [1].").score == 0.5


def test_a_citation_beside_the_point_spoils_its_claim():
    claim = "The river rose by 9.4 metres in August 2002 [1, 2]."
    assert grounded_of(claim, min_each=0.0).score == 1
    assert grounded_of(claim, min_each=0.4).score == 0
    assert grounded_of(claim, max_per_sentence=1).score == 0


def test_what_answers_nothing_scores_nothing_however_well_it_is_supported():
    assert grounded_of(RIGHT, ("9.4 metres",)).score == 1
    assert grounded_of(RIGHT, (["nine metres", "9.4 METRES"],)).score == 1
    verdict = grounded_of(RIGHT, ("9.4 metres", "Leipzig"))
    assert (verdict.reason, verdict.evidence) == ("no_answer", {"missing_points": [1]})
    assert grounded_of(RIGHT, ("9.4 metres", "Leipzig"), min_points=0.5).score == 1
    assert grounded_of(RIGHT, ("9.4 metre",)).reason == "no_answer"


def test_an_empty_answer_is_a_verdict_and_no_missing_number():
    assert grounded_of("").reason == "empty"
    assert grounded_of("Yes [1].").reason == "no_claims"
    assert grounded_of("[1][2]").reason == "empty"


def test_a_word_for_word_copy_is_no_answer_and_a_short_answer_may_be_close_to_its_source():
    assert grounded_of(f"{SOURCES[0]} [1] {SOURCES[1]} [2]").reason == "dumped_source"
    assert grounded_of("The river Elbe rose by 9.4 metres in August 2002 [1].").score == 1


def test_a_claim_stands_in_one_place_of_its_source_and_not_all_over_it():
    scattered = (
        "alpha. " + "word " * 200 + "bravo. " + "word " * 200 + "charlie. " + "word " * 200 + "delta echo foxtrot."
    )
    sources = GroundedReference.model_validate({"sources": [scattered]})
    claim = Completion(text="Alpha bravo charlie delta echo foxtrot [1].")
    assert grounded(claim, sources, GroundedParams(min_aligned=0.6)).score == 0


def test_words_that_are_everywhere_tell_nothing_and_cost_nothing():
    source = "river " * 200_000 + "The bridge of Pirna carries marks."
    sources = GroundedReference.model_validate({"sources": [source]})
    right, wrong = "The bridge of Pirna carries river marks [1].", "The tower of Meissen carries river clocks [1]."
    assert grounded(Completion(text=right), sources, GroundedParams()).score == 1
    assert grounded(Completion(text=wrong), sources, GroundedParams()).score == 0


@dataclass
class Readers:
    """A judge and a model in the same process, which hold what a function says."""

    holds: Any
    asked: list[Question] = field(default_factory=list)
    prompt: tuple[Message, ...] = (Message(role="user", content="How high did it rise?"),)
    name: str = "default"

    def judge(self, name: str) -> "Readers":
        return self

    def reward_model(self, name: str) -> "Readers":
        return self

    async def ask(self, question: Question, sample: int = 0, *, fresh: bool = False) -> JudgeReply:
        self.asked.append(question)
        texts = {section.title: section.text for section in question.sections}
        said = self.holds(texts)
        answers = None if said is None else {"reasoning": "so", "holds": said, "nonce": "n"}
        return JudgeReply("default", "n", "", answers, problem="" if answers else "not_one_object")

    async def score(self, premise: Any, text: str) -> float | None:
        return self.holds({"premise": premise[0].content, "CLAIM": text})


def supported_of(text: str, readers: Readers, **params: Any) -> Verdict:
    return asyncio.run(supported(Completion(text=text), reference(), SupportedParams.model_validate(params), readers))


def test_a_judge_is_asked_whether_it_answers_and_then_about_each_claim_alone():
    readers = Readers(lambda texts: "CLAIM" not in texts or "2002" in texts["CLAIM"])
    assert supported_of(RIGHT, readers).score == 0.5
    titles = [[section.title for section in question.sections] for question in readers.asked]
    assert titles == [["QUESTION", "ANSWER"], ["SOURCE 1", "CLAIM"], ["SOURCE 2", "CLAIM"]]
    assert [section.text for section in readers.asked[1].sections] == [SOURCES[0], RIGHT.split(" Gauges")[0]]


def test_what_does_not_answer_costs_one_question_and_scores_nothing():
    readers = Readers(lambda texts: "CLAIM" in texts)
    assert supported_of(RIGHT, readers).reason == "not_answering"
    assert len(readers.asked) == 1


def test_no_judge_is_asked_about_what_can_be_settled_without_one():
    for text in ("", "It is so, as everybody knows [9].", "Yes.", f"{SOURCES[0]} [1] {SOURCES[1]} [2]"):
        readers = Readers(lambda texts: True)
        assert supported_of(text, readers).score == 0
        assert readers.asked == []
    readers = Readers(lambda texts: True)
    assert supported_of("The river rose quite a lot that year.", readers).score == 0
    assert len(readers.asked) == 1


def test_a_text_that_derails_the_judge_scores_nothing_and_a_broken_judge_is_a_fault():
    derailed = Readers(lambda texts: None if "rose" in str(texts.values()) else True)
    assert supported_of(RIGHT, derailed).reason == "judge_derailed"
    with pytest.raises(JudgeFault):
        supported_of(RIGHT, Readers(lambda texts: None))


def test_a_source_that_no_judge_could_see_whole_is_a_fault_of_ours():
    with pytest.raises(JudgeFault, match="source 1"):
        supported_of(RIGHT, Readers(lambda texts: True), max_source_chars=10)


def test_an_entailment_model_has_to_find_one_cited_source_that_entails_the_claim():
    def entails(texts: dict[str, str]) -> float | None:
        return 0.9 if "Elbe" in texts["premise"] and "2002" in texts["CLAIM"] else None

    run = entailed(Completion(text=RIGHT), reference(), EntailedParams(), Readers(entails))
    verdict = asyncio.run(run)
    assert (verdict.score, verdict.evidence["unsupported"]) == (0.5, 1)
    run = entailed(Completion(text=RIGHT), reference(), EntailedParams(min_score=0.95), Readers(entails))
    assert asyncio.run(run).score == 0
