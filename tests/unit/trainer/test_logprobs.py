import pytest
import torch

from trainer.logprobs import batch_logprobs, completion_logprobs, entropy_of, token_stats
from trainer.packing import Cut


def plain(model, prompt, tokens, temperature):
    """The obvious way: the whole sequence through the model, one row at a time, nothing shared."""
    logits = model(input_ids=torch.tensor([[*prompt, *tokens]])).logits[0] / temperature
    logp = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return logp.gather(1, torch.tensor(tokens)[:, None]).squeeze(1)


def expected(model, batch, temperature):
    for row in range(len(batch.tokens)):
        group, length = int(batch.group[row]), int(batch.length[row])
        prompt = batch.prompts[group][len(batch.prompts[group]) - int(batch.prompt_length[group]) :].tolist()
        yield row, length, plain(model, prompt, batch.tokens[row, :length].tolist(), temperature)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("micro_batch", [1, 3, 100])
def test_sharing_prompts_gives_the_logprobs_of_the_plain_forward(policy, make_batch, temperature, micro_batch):
    batch = make_batch([0.0] * 12, [5, 2, 7, 1, 3, 3, 6, 4, 2, 2, 1, 7])
    found = batch_logprobs(policy.model, batch, temperature=temperature, cut=Cut(micro_batch))
    with torch.no_grad():
        for row, length, logp in expected(policy.model, batch, temperature):
            torch.testing.assert_close(found[row, :length], logp, rtol=1e-4, atol=1e-5)
            assert (found[row, length:] == 0).all()


def test_sharing_prompts_gives_the_gradient_of_the_plain_forward(policy, make_batch):
    batch = make_batch([0.0] * 8, [5, 2, 7, 1, 3, 3, 6, 4])
    completion_logprobs(policy.model, batch, temperature=1.0).logp.sum().backward()
    shared = {name: weight.grad.clone() for name, weight in policy.model.named_parameters()}
    policy.model.zero_grad()
    torch.stack([logp.sum() for _, _, logp in expected(policy.model, batch, 1.0)]).sum().backward()
    for name, weight in policy.model.named_parameters():
        torch.testing.assert_close(shared[name], weight.grad, rtol=1e-3, atol=1e-4)


def test_a_prompt_of_one_token_is_possible(policy, make_batch):
    batch = make_batch([0.0] * 4, [2, 3, 1, 2])
    short = batch.prompts[:, -1:]
    object.__setattr__(batch, "prompts", short)
    object.__setattr__(batch, "prompt_length", torch.ones(1, dtype=torch.long))
    found = batch_logprobs(policy.model, batch, temperature=1.0, cut=Cut(4))
    with torch.no_grad():
        for row, length, logp in expected(policy.model, batch, 1.0):
            torch.testing.assert_close(found[row, :length], logp, rtol=1e-4, atol=1e-5)


def test_the_entropy_of_even_odds_is_the_logarithm_of_their_number():
    torch.testing.assert_close(entropy_of(torch.zeros(2, 8), 0.5), torch.full((2,), 8.0).log())


@pytest.mark.parametrize("rows", [0, 1, 256, 600])
def test_the_entropy_of_many_rows_is_that_of_each(rows):
    logits = torch.randn(rows, 9, generator=torch.Generator().manual_seed(1))
    expected = [torch.distributions.Categorical(logits=row / 0.7).entropy() for row in logits]
    torch.testing.assert_close(entropy_of(logits, 0.7), torch.tensor(expected))


class Head(torch.nn.Linear):
    """An output embedding that notes the most places it was asked for at once."""

    def __init__(self, vocabulary):
        super().__init__(6, vocabulary, bias=False, dtype=torch.float64)
        self.most, self.calls = 0, 0

    def forward(self, hidden):
        self.most, self.calls = max(self.most, len(hidden)), self.calls + 1
        return super().forward(hidden)


def stats(head, hidden, tokens, at_once):
    """Values, and the gradients of the hidden states and the head."""
    hidden = hidden.clone().requires_grad_()
    head.zero_grad()
    found = token_stats(head, hidden, tokens, 0.7, "gradient", at_once=at_once)
    (found.logp.sum() + (found.entropy * torch.arange(len(tokens))).sum()).backward()
    return [found.logp.detach(), found.entropy.detach(), hidden.grad, head.weight.grad.clone()]


@pytest.mark.parametrize("at_once", [1, 19 * 3, 19 * 10, 19 * 11])
def test_logits_that_are_computed_in_parts_give_the_same_values_and_gradients(at_once):
    made = torch.Generator().manual_seed(0)
    head, hidden = Head(19), torch.randn(10, 6, generator=made, dtype=torch.float64)
    tokens = torch.randint(19, (10,), generator=made)
    for part, whole in zip(stats(head, hidden, tokens, at_once), stats(head, hidden, tokens, 10**6), strict=True):
        torch.testing.assert_close(part, whole)


@pytest.mark.parametrize("places", [10, 40])
def test_no_more_logits_are_held_than_allowed_whatever_the_batch(places):
    head = Head(19)
    stats(head, torch.ones(places, 6, dtype=torch.float64), torch.zeros(places, dtype=torch.long), 3 * 19)
    assert head.most == 3
    assert head.calls == 2 * -(-places // 3)  # each part once forward, and anew on the way back


def test_an_entropy_that_is_only_looked_at_has_no_gradient():
    found = token_stats(Head(5), torch.ones(4, 6, dtype=torch.float64), torch.zeros(4, dtype=torch.long), 1.0, "value")
    assert found.logp.requires_grad
    assert not found.entropy.requires_grad
