import pytest
import torch

from trainer.logprobs import batch_logprobs, completion_logits, entropy, token_logprobs


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
    found = batch_logprobs(policy.model, batch, temperature=temperature, micro_batch=micro_batch)
    with torch.no_grad():
        for row, length, logp in expected(policy.model, batch, temperature):
            torch.testing.assert_close(found[row, :length], logp, rtol=1e-4, atol=1e-5)
            assert (found[row, length:] == 0).all()


def test_sharing_prompts_gives_the_gradient_of_the_plain_forward(policy, make_batch):
    batch = make_batch([0.0] * 8, [5, 2, 7, 1, 3, 3, 6, 4])
    logits, tokens = completion_logits(policy.model, batch)
    token_logprobs(logits, tokens, 1.0).sum().backward()
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
    found = batch_logprobs(policy.model, batch, temperature=1.0, micro_batch=4)
    with torch.no_grad():
        for row, length, logp in expected(policy.model, batch, 1.0):
            torch.testing.assert_close(found[row, :length], logp, rtol=1e-4, atol=1e-5)


def test_the_entropy_of_even_odds_is_the_logarithm_of_their_number():
    torch.testing.assert_close(entropy(torch.zeros(2, 8), 0.5), torch.full((2,), 8.0).log())


@pytest.mark.parametrize("rows", [0, 1, 256, 600])
def test_the_entropy_of_many_rows_is_that_of_each(rows):
    logits = torch.randn(rows, 9, generator=torch.Generator().manual_seed(1))
    expected = [torch.distributions.Categorical(logits=row / 0.7).entropy() for row in logits]
    torch.testing.assert_close(entropy(logits, 0.7), torch.tensor(expected))
