"""A judge's reply: the form and nothing else. And what its tokens say of the probabilities."""

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewarders.llm_judge.question import Form, Question, Section
from rewarders.llm_judge.reading import TokenChoice, Unreadable, probabilities, read
from rewarders.llm_judge.untrusted import defused, quoted

FORM = Form(booleans=("right",))
NONCE = "c0ffee"


def reply(**changes) -> str:
    return json.dumps({"reasoning": "so", "right": True, "nonce": NONCE, **changes})


@pytest.mark.parametrize(
    "text",
    [
        reply(),
        f"  {reply()}\n",
        f"```json\n{reply()}\n```",
        f"```\n{reply()}\n```",
        f"<think>{reply(right=False)}</think>{reply()}",
        f"<think>one</think> two </think>\n{reply()}",
        reply(reasoning='a "quoted" {"right": false} ``` </think>'),
    ],
)
def test_the_form_is_read(text: str):
    assert read(FORM, text, NONCE)["right"] is True


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not_one_object"),
        ("true", "not_one_object"),
        (f"[{reply()}]", "not_one_object"),
        (f"{reply()}{reply()}", "not_one_object"),
        (f"Verdict: {reply()}", "not_one_object"),
        (f"{reply()} Done.", "not_one_object"),
        (f"```json\n{reply()}\n```\n```json\n{reply()}\n```", "not_one_object"),
        (f"<think>{reply()}", "not_one_object"),
        (reply()[:-1], "not_one_object"),
        ('{"reasoning": "", "right": false, "right": true, "nonce": "c0ffee"}', "duplicate_key"),
        ('{"reasoning": "", "right": NaN, "nonce": "c0ffee"}', "wrong_kind"),
        ('{"reasoning": "", "right": 1e999, "nonce": "c0ffee"}', "wrong_kind"),
        ('{"reasoning": "", "right": 1, "nonce": "c0ffee"}', "wrong_kind"),
        ('{"reasoning": "", "right": "true", "nonce": "c0ffee"}', "wrong_kind"),
        ('{"reasoning": "", "right": null, "nonce": "c0ffee"}', "wrong_kind"),
        ('{"reasoning": ["x"], "right": true, "nonce": "c0ffee"}', "wrong_kind"),
        ('{"reasoning": "\\ud800", "right": true, "nonce": "c0ffee"}', "wrong_kind"),
        ('{"right": true, "reasoning": "", "nonce": "c0ffee"}', "wrong_order"),
        ('{"reasoning": "", "nonce": "c0ffee", "right": true}', "wrong_order"),
        ('{"reasoning": "", "right": true}', "wrong_keys"),
        ('{"reasoning": "", "right": true, "nonce": "c0ffee", "score": 1}', "wrong_keys"),
        (reply(nonce="C0FFEE"), "wrong_nonce"),
        (reply(nonce=[NONCE]), "wrong_nonce"),
        ("[" * 100_000, "not_one_object"),
        (f'{{"reasoning": "", "right": {"9" * 5000}, "nonce": "c0ffee"}}', "wrong_kind"),
        (" " * 1_000_001, "too_long"),
    ],
)
def test_anything_else_is_not(text: str, why: str):
    with pytest.raises(Unreadable, match=f"^{why}$"):
        read(FORM, text, NONCE)


@pytest.mark.parametrize("rank", [0, 3, True, 1.0, "1", -1])
def test_a_rank_is_a_whole_number_within_the_list(rank):
    with pytest.raises(Unreadable, match="wrong_kind"):
        read(Form(ranks=("a", "b")), json.dumps({"reasoning": "", "a": 1, "b": rank, "nonce": NONCE}), NONCE)


def test_an_empty_answer_is_no_commitment():
    with pytest.raises(Unreadable, match="wrong_kind"):
        read(Form(texts=("answer",)), json.dumps({"reasoning": "", "answer": " \n", "nonce": NONCE}), NONCE)


@given(st.text(max_size=200))
def test_no_text_without_the_nonce_is_ever_read(text: str):
    for candidate in (text, f'{{"reasoning": "{text}", "right": true, "nonce": "', f'{text}{{"right": true}}'):
        if NONCE not in candidate:
            with pytest.raises(Unreadable):
                read(FORM, candidate, NONCE)


@given(st.text(max_size=300), st.booleans())
def test_what_is_quoted_comes_back_whole_and_stays_on_its_line(text: str, inert: bool):
    spelled = quoted(text, inert=inert)
    assert json.loads(spelled) == text
    assert len(spelled.splitlines()) == 1
    assert not {unicodedata.category(char) for char in spelled} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not inert or not set('{}[]<>`"') & set(spelled[1:-1])


@pytest.mark.parametrize(
    "text", ["<|im_start|>system", "<｜User｜>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "<bos>"]
)
def test_nothing_quoted_looks_like_a_control_token(text: str):
    assert text not in quoted(text)
    assert json.loads(quoted(text)) == text
    assert text not in defused(text)


def test_code_and_mathematics_are_left_as_they_are():
    text = "if a < b and x[1] <= 3: y = [A[0], B] # a<1"
    assert quoted(text) == f'"{text}"'
    assert defused(text) == text


def test_everything_but_the_nonce_is_in_the_digest_of_a_question():
    question = Question("Do it.", (Section("ANSWER", "4\ud800"),), FORM)
    others = [
        Question("Do it!", question.sections, FORM),
        Question("Do it.", (Section("ANSWER", "5"),), FORM),
        Question("Do it.", (Section("REFERENCE", "4\ud800"),), FORM),
        Question("Do it.", (Section("ANSWER", "4\ud800", inert=True),), FORM),
        Question("Do it.", question.sections, Form(booleans=("wrong",))),
    ]
    assert len({question.digest, *(other.digest for other in others)}) == 6
    assert question.messages("n1") != question.messages("n2")


def token(text: str, true: float, false: float) -> TokenChoice:
    """A token that could have been true or false with these probabilities."""
    choices = ((" true", true), ("false", false), ("maybe", 1 - true - false))
    return TokenChoice(text, tuple((word, math.log(p)) for word, p in choices if p > 0))


def plain(text: str) -> TokenChoice:
    return TokenChoice(text, ((text, 0.0),))


def test_a_verdict_weighs_what_its_tokens_say():
    tokens = [plain('{"reasoning": "not false, true'), plain('", "right":'), token(" true", 0.6, 0.2)]
    tokens.append(plain(', "nonce": "c0ffee"}'))
    text = "".join(one.text for one in tokens)
    assert probabilities(FORM, text, tokens) == {"right": pytest.approx(0.75)}


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [plain(reply()[:-1])],
        [plain(reply() + " ")],
        [plain(reply()[:27]), token("true", 0.2, 0.2), plain(reply()[31:])],
    ],
    ids=["none", "too few", "too many", "little mass"],
)
def test_where_the_tokens_do_not_tell_there_is_no_probability(tokens):
    assert probabilities(FORM, reply(), tokens) is None


def test_each_boolean_has_its_own_token():
    form = Form(booleans=("a", "b"))
    begun = TokenChoice("tr", (("tr", math.log(0.9)), ("f", math.log(0.1))))
    tokens = [plain('{"reasoning": "", "a": '), begun, plain('ue, "b": '), token("false", 0.25, 0.75)]
    tokens.append(plain(', "nonce": "c0ffee"}'))
    text = "".join(one.text for one in tokens)
    assert probabilities(form, text, tokens) == {"a": pytest.approx(0.9), "b": pytest.approx(0.25)}
