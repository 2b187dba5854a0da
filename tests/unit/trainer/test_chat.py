import pytest

from rewarders.errors import ConfigError
from rewarders.types import Message
from trainer.chat import learnt_spans, prompt_ids, written_text

TALK = [
    Message(role="user", content="1+1="),
    Message(role="assistant", content="2"),
    Message(role="user", content="2"),
    Message(role="assistant", content="2=2"),
]


def test_only_the_assistants_tokens_are_learnt_even_where_the_user_says_the_same(policy):
    ids, learnt = learnt_spans(policy.tokenizer, TALK, policy.stop_ids)
    kept = policy.tokenizer.decode([token for token, keep in zip(ids, learnt, strict=True) if keep])
    assert kept == "2<|end|>2=2<|end|>"


def test_layout_after_the_stop_token_is_not_learnt(policy):
    policy.tokenizer.chat_template = policy.tokenizer.chat_template.replace("<|end|>", "<|end|>=")
    ids, learnt = learnt_spans(policy.tokenizer, TALK[:2], policy.stop_ids)
    assert policy.tokenizer.decode([t for t, keep in zip(ids, learnt, strict=True) if keep]) == "2<|end|>"


def test_a_template_that_rewrites_earlier_turns_is_refused(policy):
    policy.tokenizer.chat_template = (
        "{% for m in messages %}{% if loop.last or m.role == 'user' %}<|{{ m.role }}|>{{ m.content }}<|end|>"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    with pytest.raises(ConfigError, match="not prefix-stable"):
        learnt_spans(policy.tokenizer, TALK, policy.stop_ids)


def test_a_prompt_over_the_limit_is_refused_with_its_task(policy, make_task):
    with pytest.raises(ConfigError, match=r"task long: its prompt has 13 tokens; .* = 12"):
        prompt_ids(policy.tokenizer, make_task("long", "1234567890"), 12)


def test_a_model_without_a_chat_template_is_refused(policy, make_task):
    policy.tokenizer.chat_template = None
    with pytest.raises(ConfigError, match="no chat template"):
        prompt_ids(policy.tokenizer, make_task(), 100)


def test_special_tokens_the_policy_wrote_stay_visible_to_the_grader(policy):
    stop = policy.stop_ids[0]
    hidden = policy.tokenizer.convert_tokens_to_ids("<|user|>")
    assert written_text(policy.tokenizer, [6, hidden, 7, stop], policy.stop_ids) == "0<|user|>1"
