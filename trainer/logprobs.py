"""Log-probabilities of completions under a model: a prompt is worked on once, and logits are never held all at once.

The layers see a micro-batch as one row (see `trainer.packed`). What they say of each token of a completion goes through
the output embedding some places at a time: logits are the largest thing there is, and in the backward pass they are
computed again, so that their memory grows neither with the length of a batch nor with how many rows it has.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from trainer.distributed.ranks import summed
from trainer.distributed.sharding import within
from trainer.packed import Packed, packed, rows_of
from trainer.packing import Cut
from trainer.rollouts import Batch
from trainer.stopwatch import Phase, phase

LOGITS_AT_ONCE = 2**26
"""Logits computed together: 256 MiB in float32, and a few times that with their softmax and gradients."""

Entropy = Literal["none", "value", "gradient"]
"""Whether entropies are wanted, and with a gradient."""


class TokenStats(NamedTuple):
    """What a model says of tokens, K of them."""

    logp: Tensor
    """`[K]` log-probability of each."""
    entropy: Tensor
    """`[K]` of the distribution each was drawn from, in nats; `[0]` where it was not asked for."""


def completion_logprobs(model: Any, batch: Batch, *, temperature: float, entropy: Entropy = "none") -> TokenStats:
    """What the model says of the completions' tokens, ordered as `tokens[mask]`; of no rows, empty tensors."""
    with phase(Phase.LOG_PROBS):
        found: TokenStats = within(model, _completion_logprobs, batch, temperature, entropy)
    return found


def _completion_logprobs(model: Any, batch: Batch, temperature: float, entropy: Entropy) -> TokenStats:
    hidden = completion_hidden(model.get_decoder(), batch)
    return token_stats(model.get_output_embeddings(), hidden, batch.tokens[batch.mask], temperature, entropy)


def completion_hidden(decoder: Any, batch: Batch) -> Tensor:
    """The last hidden state before each token of the completions, `[K, H]`, ordered as `tokens[mask]`."""
    return predicting_hidden(decoder, packed(batch))


def predicting_hidden(decoder: Any, row: Packed) -> Tensor:
    """The last hidden state at each place that predicts a token, `[K, H]`, ordered as `row.predicting`.

    Raises:
        TypeError: the model's layers did not hand the row on to its attention, which saw something else.
    """
    hidden = decoder(
        input_ids=row.ids,
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=row.ids.device),  # so that none is made
        position_ids=row.positions,
        use_cache=False,
        packed=row,
    ).last_hidden_state
    if not row.attended:
        raise TypeError(f"the attention of {type(decoder).__name__} does not take packed rows")
    return rows_of(hidden[0], row.predicting)


def token_stats(
    head: Any,
    hidden: Tensor,
    tokens: Tensor,
    temperature: float,
    entropy: Entropy = "none",
    at_once: int = LOGITS_AT_ONCE,
) -> TokenStats:
    """What the output embedding `head` says of the tokens that follow hidden states, `[K, H], [K]`.

    Args:
        head: a layer, `[n, H] -> [n, V]`.
        hidden: before each token.
        tokens: what followed.
        temperature: of the distribution.
        entropy: whether entropies are wanted.
        at_once: logits to hold; if there are more, they are computed anew for the backward pass.
    """

    def of_part(part: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        return _of_logits(head(part), chosen, temperature, entropy)

    places = max(1, at_once // head.weight.shape[0])
    if len(tokens) <= places:
        return TokenStats(*of_part(hidden, tokens))
    parts = list(zip(hidden.split(places), tokens.split(places), strict=True))
    if torch.is_grad_enabled():
        found = [checkpoint(of_part, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    else:
        found = [of_part(*part) for part in parts]
    return TokenStats(*map(torch.cat, zip(*found, strict=True)))


def _of_logits(logits: Tensor, tokens: Tensor, temperature: float, entropy: Entropy) -> tuple[Tensor, Tensor]:
    logp = token_logprobs(logits, tokens, temperature)
    if entropy == "none":
        return logp, logp.new_zeros(0)
    with torch.set_grad_enabled(entropy == "gradient" and torch.is_grad_enabled()):
        return logp, entropy_of(logits, temperature)


def token_logprobs(logits: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    """Log-probability of each token at the temperature, `[K, V], [K] -> [K]`, in float32 at least."""
    scaled = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    return -torch.nn.functional.cross_entropy(scaled, tokens, reduction="none")


def entropy_of(logits: Tensor, temperature: float) -> Tensor:
    """Entropy of each distribution in nats, `[K, V] -> [K]`."""
    logp = (logits.float() / temperature).log_softmax(-1)
    return -(logp.exp() * logp).sum(-1)


def batch_logprobs(model: Any, batch: Batch, *, temperature: float, cut: Cut) -> Tensor:
    """Log-probabilities of a whole batch without gradient, `[N, T]`, 0 where there is no token."""
    return in_micro_batches(batch, cut, lambda rows: completion_logprobs(model, rows, temperature=temperature).logp)


@torch.no_grad()
def in_micro_batches(batch: Batch, cut: Cut, of_tokens: Callable[[Batch], Tensor]) -> Tensor:
    """A number for each token, computed some rows at a time, without gradient: `[N, T]`, 0 where there is no token.

    The ranks of `cut` share the rows, and each is told all numbers.
    `of_tokens` gives those of some rows, `[K]`, ordered as `tokens[mask]`.
    """
    found = torch.zeros(batch.tokens.shape, device=batch.tokens.device)
    for index in cut.share(batch):
        rows = batch.rows(index)
        values = of_tokens(rows)
        micro = found[index].to(values.dtype)
        micro[rows.mask] = values
        found = found.to(values.dtype)
        found[index] = micro
    return summed(found)
