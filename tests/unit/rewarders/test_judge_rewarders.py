"""`judge.*` with a judge that is scripted in the same process: criteria, answers, comparisons, panels, doubt."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from rewarders.errors import JudgeFault, ModelFault
from rewarders.llm_judge import answer, compare, criteria
from rewarders.llm_judge.params import (
    AnswerParams,
    AnswerReference,
    CompareParams,
    CompareReference,
    CriteriaParams,
    CriteriaReference,
)
from rewarders.llm_judge.question import JudgeReply, Question
from rewarders.reward_model import Params as ScalarParams
from rewarders.reward_model import scalar
from rewarders.types import Completion, Message, Verdict

Says = Callable[[Question, int], dict[str, Any]]


@dataclass
class ScriptedJudge:
    name: str
    says: Says
    probabilities: dict[str, float] | None = None
    asked: list[tuple[Question, int]] = field(default_factory=list)

    async def ask(self, question: Question, sample: int = 0, *, fresh: bool = False) -> JudgeReply:
        self.asked.append((question, sample))
        answers = {"reasoning": "so", **self.says(question, sample), "nonce": "n"}
        return JudgeReply(self.name, "n", "", answers, probabilities=self.probabilities)


@dataclass
class ScriptedTools:
    judges: dict[str, ScriptedJudge]
    raw: float | None = None
    prompt: tuple[Message, ...] = (Message(role="user", content="How much is it all in all?"),)

    def judge(self, name: str) -> ScriptedJudge:
        return self.judges[name]

    def reward_model(self, name: str) -> "ScriptedTools":
        return self

    async def score(self, prompt: Any, text: str) -> float | None:
        return self.raw


def tools_of(*says: Says, **more: Any) -> ScriptedTools:
    names = ("default", "second", "third", "fourth")
    return ScriptedTools({n: ScriptedJudge(n, one, **more) for n, one in zip(names, says, strict=False)})


def text_of(question: Question, title: str = "ANSWER") -> str:
    return next(section.text for section in question.sections if section.title == title)


def met(**values: bool) -> Says:
    return lambda question, sample: {name: values[name] for name in question.form.booleans}


def judge_criteria(tools: ScriptedTools, text: str = "It is 42.", reference=None, **params: Any) -> Verdict:
    settings = CriteriaParams.model_validate({"criteria": {"a": "A holds.", "b": "B holds."}, **params})
    read = CriteriaReference.model_validate(reference or {})
    return asyncio.run(criteria(Completion(text=text), read, settings, tools))


@pytest.mark.parametrize(
    ("a", "b", "everything", "share"), [(True, True, 1, 1), (True, False, 0, 0.5), (False, False, 0, 0)]
)
def test_criteria_are_independent_and_paid_all_or_by_share(a: bool, b: bool, everything: float, share: float):
    assert judge_criteria(tools_of(met(a=a, b=b))).score == everything
    assert judge_criteria(tools_of(met(a=a, b=b)), pay="share").score == share


def test_criteria_are_asked_about_together_or_one_by_one():
    together, apart = tools_of(met(a=True, b=True)), tools_of(met(a=True, b=True))
    judge_criteria(together)
    judge_criteria(apart, one_by_one=True)
    assert [q.form.booleans for q, _ in together.judges["default"].asked] == [("a", "b")]
    assert [q.form.booleans for q, _ in apart.judges["default"].asked] == [("a",), ("b",)]


def test_criteria_and_a_good_answer_may_come_with_the_task():
    tools = tools_of(met(a=True, b=True, c=True))
    verdict = judge_criteria(tools, reference={"criteria": {"c": "C holds."}, "answer": "Forty-two."})
    ((question, _),) = tools.judges["default"].asked
    assert verdict.evidence["opinions"][0]["met"] == {"a": True, "b": True, "c": True}
    assert text_of(question, "REFERENCE") == "Forty-two."
    assert text_of(question, "QUESTION") == "user: How much is it all in all?"


def test_probabilities_weigh_the_verdict_where_they_come():
    weighed = tools_of(met(a=True, b=True), probabilities={"a": 0.9, "b": 0.6})
    assert judge_criteria(weighed, by="probability").score == 0.6
    assert judge_criteria(weighed, by="probability", pay="share").score == pytest.approx(0.75)
    assert judge_criteria(weighed).score == 1.0
    assert judge_criteria(tools_of(met(a=True, b=False)), by="probability", pay="share").score == 0.5


def test_what_stands_before_the_end_of_thinking_is_not_judged():
    tools = tools_of(met(a=True, b=True))
    verdict = judge_criteria(tools, "<think>All criteria hold.</think>It is 42.")
    assert text_of(tools.judges["default"].asked[0][0]) == "It is 42."
    assert verdict.evidence["span"] == [33, 42]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "You idiot, 2+2 is 5. <think>x</think> The answer is 4.",
            "You idiot, 2+2 is 5. <think>x</think> The answer is 4.",
        ),
        ("The answer is 4. </think> B </think> C", " B </think> C"),
        ("It is 4.<think>Or is it 5?", "It is 4.<think>Or is it 5?"),
    ],
)
def test_later_thinking_hides_nothing_from_a_judge(text: str, shown: str):
    tools = tools_of(met(a=True, b=True))
    judge_criteria(tools, text)
    assert text_of(tools.judges["default"].asked[0][0]) == shown


@pytest.mark.parametrize("text", ["<think>It is 42.", "</think>", "It is 42.</think> "])
def test_thinking_without_an_answer_scores_zero_unasked(text: str):
    tools = tools_of(met(a=True, b=True))
    verdict = judge_criteria(tools, text)
    assert (verdict.score, verdict.reason, tools.judges["default"].asked) == (0.0, "no_content", [])


def test_a_text_of_megabytes_scores_zero_unasked():
    tools = tools_of(met(a=True, b=True))
    assert judge_criteria(tools, "It is so. " * 500_000).reason == "too_long"
    assert tools.judges["default"].asked == []


@pytest.mark.parametrize(
    ("panel", "yes", "score"),
    [("majority", 2, 1), ("majority", 1, 0), ("mean", 2, 2 / 3), ("least", 2, 0), ("least", 3, 1)],
)
def test_a_panel_is_of_one_mind_by_its_rule(panel: str, yes: int, score: float):
    tools = tools_of(*(met(a=True, b=i < yes) for i in range(3)))
    judges = ["default", "second", "third"]
    assert judge_criteria(tools, judges=judges, panel=panel).score == pytest.approx(score)


def test_half_a_panel_is_no_majority():
    tools = tools_of(met(a=True, b=True), met(a=True, b=False))
    assert judge_criteria(tools, judges=["default", "second"]).score == 0.0


def test_only_what_is_in_doubt_is_asked_about_again():
    sure, unsure = tools_of(met(a=True, b=True)), tools_of(lambda q, sample: {"a": True, "b": sample > 0})
    assert judge_criteria(sure, pay="share", samples=5).score == 1.0
    verdict = judge_criteria(unsure, pay="share", samples=5)
    assert [sample for _, sample in sure.judges["default"].asked] == [0]
    assert [sample for _, sample in unsure.judges["default"].asked] == [0, 1, 2, 3, 4]
    assert (verdict.score, verdict.evidence["asked"]) == (pytest.approx(0.9), 5)


def test_no_criteria_at_all_is_a_fault_of_ours():
    with pytest.raises(JudgeFault, match="no criteria"):
        judge_criteria(tools_of(met()), criteria={})


@pytest.mark.parametrize("name", ["reasoning", "nonce", "A", "a-b", ""])
def test_a_criterion_cannot_take_a_name_of_the_form(name: str):
    with pytest.raises(ValueError, match="criteri"):
        CriteriaParams(criteria={name: "x"})


def judge_answer(tools: ScriptedTools, reference: str | None, text: str = "It is 42.") -> Verdict:
    return asyncio.run(answer(Completion(text=text), AnswerReference(answer=reference), AnswerParams(), tools))


def test_with_a_reference_the_judge_only_compares():
    tools = tools_of(met(same_answer=True))
    assert judge_answer(tools, "42").score == 1.0
    assert len(tools.judges["default"].asked) == 1
    assert text_of(tools.judges["default"].asked[0][0], "REFERENCE") == "42"


def test_without_one_the_judge_commits_itself_before_it_is_shown_the_text():
    def says(question: Question, sample: int) -> dict[str, Any]:
        return {"answer": "41"} if question.form.texts else {"same_answer": "41" in text_of(question)}

    tools = tools_of(says)
    verdict = judge_answer(tools, None)
    (solve, _), (same, _) = tools.judges["default"].asked
    assert [section.title for section in solve.sections] == ["QUESTION"], "nothing of the text is in the first question"
    assert text_of(same, "REFERENCE") == "41"
    assert (verdict.score, verdict.evidence["opinions"][0]["committed"]) == (0.0, "41")


def judge_compare(tools: ScriptedTools, text: str, *others: str, **params: Any) -> Verdict:
    reference = CompareReference(others=others)
    return asyncio.run(compare(Completion(text=text), reference, CompareParams.model_validate(params), tools))


def by_length(question: Question, sample: int) -> dict[str, Any]:
    sizes = {section.title: len(section.text) for section in question.sections if section.title in question.form.ranks}
    order = sorted(set(sizes.values()), reverse=True)
    return {title: order.index(size) + 1 for title, size in sizes.items()}


@pytest.mark.parametrize(
    ("others", "score", "reason"),
    [
        (["short"], 1.0, "better"),
        (["a much, much longer one"], 0.0, "worse"),
        (["of same size!!"], 0.5, "tied"),
        (["short", "a much, much longer one"], 0.5, "tied"),
        (["a", "b", "a much, much longer one", "as long as it."], 0.625, "better_than_some"),
    ],
)
def test_a_text_is_worth_the_share_of_the_others_it_beats(others: list[str], score: float, reason: str):
    verdict = judge_compare(tools_of(by_length), "as long as it.", *others)
    assert (verdict.score, verdict.reason) == (score, reason)


def test_both_orders_are_asked_and_disagreement_is_a_tie():
    def first_wins(question: Question, sample: int) -> dict[str, Any]:
        return {label: place + 1 for place, label in enumerate(question.form.ranks)}

    tools = tools_of(first_wins)
    verdict = judge_compare(tools, "One text here.", "Another text there.", "And a third one.")
    orders = [question.form.ranks for question, _ in tools.judges["default"].asked]
    assert orders[0] == orders[1][::-1]
    assert (verdict.score, verdict.evidence["opinions"][0]["consistent"]) == (0.5, False)


def test_the_same_text_ties_without_being_asked_about():
    tools = tools_of(by_length)
    assert judge_compare(tools, "as long as it.", " as long as it.\n").score == 0.5
    assert tools.judges["default"].asked == []


def test_labels_cannot_be_known_from_the_text():
    tools = tools_of(by_length)
    for other in ("short", "sharp"):
        judge_compare(tools, "as long as it.", other)
    labels = [set(question.form.ranks) for question, _ in tools.judges["default"].asked]
    assert labels[0] == labels[1]
    assert not labels[0] & labels[2]


@pytest.mark.parametrize(
    ("raw", "params", "score", "reason"),
    [
        (0.0, {}, 0.5, "rated"),
        (-1e308, {}, 0.0, "rated"),
        (1e308, {"scale": 1e-3}, 1.0, "rated"),
        (3.0, {"centre": 1.0, "scale": 2.0}, 0.7310585786, "rated"),
        (2.5, {"normalise": "range", "high": 5.0}, 0.5, "rated"),
        (-1.0, {"normalise": "range"}, 0.0, "below_range"),
        (9.0, {"normalise": "range"}, 1.0, "above_range"),
        (None, {}, 0.0, "refused"),
    ],
)
def test_a_reward_models_number_is_brought_between_zero_and_one(raw, params, score: float, reason: str):
    tools = ScriptedTools({}, raw=raw)
    verdict = asyncio.run(scalar(Completion(text="x"), None, ScalarParams.model_validate(params), tools))
    assert (verdict.score, verdict.reason) == (pytest.approx(score), reason)


@pytest.mark.parametrize(
    "text", ["", " \n", "\u200b", "<think>It is 42.", "It is 42.</think>", "<think>hm</think> <think>It is 42."]
)
def test_a_reward_model_is_not_asked_about_what_was_never_said(text: str):
    verdict = asyncio.run(scalar(Completion(text=text), None, ScalarParams(), ScriptedTools({}, raw=9.0)))
    assert (verdict.score, verdict.reason) == (0.0, "no_answer")


def test_a_reward_model_is_shown_all_that_is_said_behind_the_first_thinking():
    shown: list[str] = []

    class Tools(ScriptedTools):
        async def score(self, prompt: Any, text: str) -> float | None:
            shown.append(text)
            return 0.0

    text = "<think>hm</think>It is 41.<think>No, 42."
    verdict = asyncio.run(scalar(Completion(text=text), None, ScalarParams(), Tools({})))
    assert (shown, verdict.evidence["span"]) == (["It is 41.<think>No, 42."], [17, 40])


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_a_fault(raw: float):
    with pytest.raises(ModelFault, match="finite"):
        asyncio.run(scalar(Completion(text="x"), None, ScalarParams(), ScriptedTools({}, raw=raw)))
