import copy
import json

import pytest
import torch
from rich.console import Console

from rewarders.errors import ConfigError
from trainer.config import SftConfig
from trainer.models import load_policy
from trainer.sft import fine_tune, load_examples, sft_step

CONVERSATIONS = [
    [{"role": "user", "content": f"{a}+{a}="}, {"role": "assistant", "content": f"{2 * a}" * (1 + a % 3)}]
    for a in range(6)
]


@pytest.fixture
def config(tmp_path, model_path):
    data = tmp_path / "talk.jsonl"
    data.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in CONVERSATIONS))

    def make(**optim):
        return SftConfig.model_validate(
            {
                "sft": {"out": tmp_path / "out", "steps": 12, "batch": 6},
                "model": {"path": str(model_path), "device": "cpu"},
                "data": {"conversations": data},
                "optim": {"lr": 0.02, **optim},
            }
        )

    return make


def examples_of(settings, policy):
    path, most = settings.data.conversations, settings.sft.max_tokens
    return load_examples(path, policy.tokenizer, policy.stop_ids, most, "sft.max_tokens")


def test_the_micro_batch_changes_no_gradient(policy, config):
    def after(micro_batch):
        model = copy.deepcopy(policy.model)
        settings = config(micro_batch=micro_batch, max_grad_norm=1e9)
        sft_step(model, torch.optim.SGD(model.parameters(), lr=1.0), examples_of(settings, policy), settings)
        return model.state_dict()

    whole = after(64)
    for micro_batch in (1, 4):
        for name, weight in after(micro_batch).items():
            torch.testing.assert_close(weight, whole[name], rtol=1e-4, atol=1e-6)


def test_the_loss_is_the_mean_over_the_assistants_tokens(policy, config):
    settings = config()
    examples = examples_of(settings, policy)
    expected = []
    for example in examples:
        logp = policy.model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
        expected += [-logp[i - 1, t].item() for i, t in enumerate(example.ids) if example.learnt[i]]
    model = copy.deepcopy(policy.model)
    loss = sft_step(model, torch.optim.SGD(model.parameters(), lr=0.0), examples, settings)
    assert loss == pytest.approx(sum(expected) / len(expected), rel=1e-4)


def test_fine_tuning_learns_and_writes_a_model(config):
    settings = config()
    losses = fine_tune(settings, Console(quiet=True))
    assert losses["last_loss"] < 0.8 * losses["first_loss"]
    assert load_policy(settings.model, settings.sft.out).stop_ids


@pytest.mark.parametrize(
    ("talk", "message"),
    [
        ([{"role": "user", "content": "1"}], "row 1: the assistant says nothing"),
        ([{"role": "user", "content": "1" * 3000}, {"role": "assistant", "content": "1"}], "row 1: 3005 tokens"),
    ],
)
def test_a_conversation_that_cannot_be_used_is_named(config, policy, talk, message):
    settings = config()
    settings.data.conversations.write_text(json.dumps({"messages": talk}))
    with pytest.raises(ConfigError, match=message):
        examples_of(settings, policy)
