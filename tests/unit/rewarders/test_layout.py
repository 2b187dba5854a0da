import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rewarders.layout import LengthParams, TagsParams, length, tags
from rewarders.types import Completion, Verdict


def _tags(text: str, **params: object) -> Verdict:
    return tags(Completion(text=text), None, TagsParams.model_validate(params))


def _length(chars: int, **params: int) -> Verdict:
    return length(Completion(text="x" * chars), None, LengthParams(**params))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<think>a</think><answer>b</answer>", "ok"),
        (" \n<think>\na\n</think>\n\n<answer> b </answer>\n", "ok"),
        ("<think>a < b</think><answer><b></answer>", "ok"),
        ("", "missing_tag"),
        ("<think>a</think>", "missing_tag"),
        ("<think>a</think><answer>b", "missing_tag"),
        ("a</think><answer>b</answer>", "missing_tag"),
        ("<think>a</think><think>a</think><answer>b</answer>", "duplicate_tag"),
        ("<think>a</think><answer>b</answer></answer>", "duplicate_tag"),
        ("<answer>b</answer><think>a</think>", "wrong_order"),
        ("<think>a<answer>b</answer></think>", "wrong_order"),
        ("</think>a<think><answer>b</answer>", "wrong_order"),
        ("Hm.<think>a</think><answer>b</answer>", "stray_text"),
        ("<think>a</think>so<answer>b</answer>", "stray_text"),
        ("<think>a</think><answer>b</answer>!", "stray_text"),
        ("<think> </think><answer>b</answer>", "empty_section"),
        ("<think>a</think><answer>\n</answer>", "empty_section"),
    ],
)
def test_only_the_exact_layout_is_paid(text: str, reason: str) -> None:
    verdict = _tags(text)
    assert (verdict.reason, verdict.score) == (reason, float(reason == "ok"))


def test_a_section_that_the_chat_template_opened_must_not_be_opened_again() -> None:
    assert _tags("a</think><answer>b</answer>", opened=True).reason == "ok"
    assert _tags("<think>a</think><answer>b</answer>", opened=True).reason == "duplicate_tag"


def test_a_rubric_names_its_own_sections() -> None:
    assert _tags("<plan>a</plan><code>b</code>", tags=["plan", "code"]).score == 1
    assert _tags("<think>a</think><answer>b</answer>", tags=["plan", "code"]).evidence == {"tag": "<plan>"}


@pytest.mark.parametrize("names", [[], ["a", "a"], ["<a>"], [""], ["a b"]])
def test_tags_that_cannot_be_told_apart_are_refused(names: list[str]) -> None:
    with pytest.raises(ValidationError):
        TagsParams.model_validate({"tags": names})


@pytest.mark.parametrize(
    ("chars", "reason", "score"),
    [
        (9, "too_short", 0.0),
        (10, "ok", 1.0),
        (80, "ok", 1.0),
        (85, "nearly_too_long", 0.75),
        (90, "nearly_too_long", 0.5),
        (100, "nearly_too_long", 0.0),
        (101, "too_long", 0.0),
    ],
)
def test_length_is_paid_in_full_then_along_a_ramp_then_not(chars: int, reason: str, score: float) -> None:
    verdict = _length(chars, min_chars=10, max_chars=100, soft_chars=20)
    assert (verdict.reason, verdict.score, verdict.evidence) == (reason, score, {"chars": chars})


def test_without_a_soft_zone_the_limit_itself_is_fine() -> None:
    assert _length(4096).reason == "ok"
    assert _length(4097).reason == "too_long"


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 100), st.integers(0, 220))
def test_a_longer_completion_never_scores_more(max_chars: int, soft_chars: int, chars: int) -> None:
    params = {"max_chars": max_chars, "soft_chars": min(soft_chars, max_chars)}
    assert _length(chars, **params).score >= _length(chars + 1, **params).score


def test_zones_that_overlap_are_refused() -> None:
    with pytest.raises(ValidationError):
        LengthParams(min_chars=90, max_chars=100, soft_chars=20)
