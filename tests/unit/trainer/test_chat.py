import pytest
import torch
from transformers import AutoTokenizer

from rewarders.errors import ConfigError
from rewarders.types import FinishReason, Message
from trainer.chat import learnt_spans, prompt_ids, set_template, written_text
from trainer.drawing import draw
from trainer.rollouts import pack
from trainer.samplers import Sample, SampleRequest

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


def test_template_variables_get_defaults_that_are_saved_with_the_tokenizer(policy, tmp_path, make_task):
    policy.tokenizer.chat_template = "\n{{ mark }}{% if thinking %}a{% endif %}" + policy.tokenizer.chat_template
    plain = prompt_ids(policy.tokenizer, make_task(), 100)
    set_template(policy.tokenizer, None, {"thinking": True, "mark": "d"})
    policy.tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = again.decode(prompt_ids(again, make_task(), 100))
    assert text == again.decode(plain).replace("<|user|>", "da<|user|>")
    overruled = again.apply_chat_template([{"role": "user", "content": "1"}], mark="c", thinking=False, tokenize=False)
    assert overruled.strip() == "c<|user|>1<|end|>"
    saved = again.chat_template
    set_template(again, None, {"mark": "d", "thinking": True})
    assert again.chat_template == saved


def test_another_template_takes_the_place_of_the_models(policy, make_task):
    set_template(policy.tokenizer, "{{ messages[0].content }}", {})
    assert policy.tokenizer.decode(prompt_ids(policy.tokenizer, make_task(), 100)) == "1+1="


def test_variables_without_a_template_to_set_them_in_are_refused(policy):
    policy.tokenizer.chat_template = None
    with pytest.raises(ConfigError, match=r"model\.template_args = \{'x': 1\}: the tokenizer has no chat template"):
        set_template(policy.tokenizer, None, {"x": 1})


def test_a_name_that_would_be_a_program_is_no_variable(policy):
    with pytest.raises(ConfigError, match="no name of a variable"):
        set_template(policy.tokenizer, None, {"x %}{% include 'y'": 1})


def test_sampled_ids_are_trained_on_even_where_their_text_would_be_read_as_others(policy, make_task):
    """A model may write two tokens side by side that its tokenizer never would; nobody encodes the text again."""
    policy.tokenizer.add_tokens(["12"])  # the text 12 is this token, and the policy says 1 and 2
    one, two = policy.tokenizer.convert_tokens_to_ids(["1", "2"])
    written = (one, two, policy.stop_ids[0])
    assert policy.tokenizer.encode("12", add_special_tokens=False) != [one, two], "or this shows nothing"

    class Says:
        def sample(self, prompts, request):
            sample = Sample(written, (-1.0,) * 3, FinishReason.STOP, request.weight_version)
            return [[sample] * request.group_size for _ in prompts]

    request = SampleRequest(group_size=2, max_new_tokens=4, temperature=1.0, seed="s", weight_version="v")
    rollouts = draw(policy, Says(), [make_task(text="12+0=")], request, max_prompt_tokens=64)
    assert [rollout.text for rollout in rollouts] == ["12", "12"]
    batch = pack(rollouts, [0.0, 1.0], torch.device("cpu"))
    assert batch.tokens.tolist() == [list(written)] * 2
    assert batch.prompts.tolist() == [prompt_ids(policy.tokenizer, make_task(text="12+0="), 64)]
