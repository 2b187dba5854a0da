"""Ways to look well laid out without being so."""

import pytest

from rewarders.layout import LengthParams, TagsParams, length, tags
from rewarders.types import Completion

GOOD = "<think>a</think><answer>b</answer>"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD * 2, "duplicate_tag"),
        (f"<think>{GOOD}</think>", "duplicate_tag"),
        ("<think>" * 100_000, "duplicate_tag"),
        ("<THINK>a</THINK><answer>b</answer>", "missing_tag"),
        ("< think>a</think><answer>b</answer>", "missing_tag"),
        ("<think>a</think ><answer>b</answer>", "missing_tag"),
        ('<think class="x">a</think><answer>b</answer>', "missing_tag"),
        ("<think>a</think><!-- --><answer>b</answer>", "stray_text"),
        ("\u200b" + GOOD, "stray_text"),
        ("<think>\u00a0</think><answer>b</answer>", "empty_section"),
    ],
)
def test_an_imitation_of_the_layout_is_not_paid(text: str, reason: str) -> None:
    assert tags(Completion(text=text), None, TagsParams()).reason == reason


def test_ten_megabytes_in_a_section_are_still_a_section() -> None:
    assert tags(Completion(text=f"<think>{'<' * 10_000_000}</think><answer>b</answer>"), None, TagsParams()).score == 1


def test_padding_with_white_space_counts_as_length() -> None:
    assert length(Completion(text="b" + " " * 5000), None, LengthParams()).reason == "too_long"
