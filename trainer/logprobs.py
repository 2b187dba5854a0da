"""Log-probabilities of completions under a model; the work on a prompt is done once, not once a completion.

A group's completions share their prompt, so its keys and values are computed once a micro-batch, with
gradient, and handed to every completion. Each completion is then fed its last prompt token and all its own
tokens but the last: exactly the places whose logits are needed.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from trainer.rollouts import Batch

_ROWS_AT_ONCE = 256


def completion_logits(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits that predict the completions, and their tokens: `[K, V], [K]`, ordered as `tokens[mask]`."""
    hidden = completion_hidden(model.get_decoder(), batch)
    return model.get_output_embeddings()(hidden), batch.tokens[batch.mask]


def completion_hidden(decoder: Any, batch: Batch) -> Tensor:
    """The last hidden state before each token of the completions, `[K, H]`, ordered as `tokens[mask]`."""
    longest = int(batch.length.max())
    used, row = batch.group.unique(return_inverse=True)
    ids, lengths = _trimmed_prompts(batch.prompts[used], batch.prompt_length[used])
    cache, visible = _prompt_cache(decoder, ids[:, :-1], lengths - 1)
    for layer in cache.layers:
        # index_select, because its gradient adds the rows in a fixed order on a CPU
        layer.keys, layer.values = layer.keys.index_select(0, row), layer.values.index_select(0, row)
    inputs = torch.cat([ids[row, -1:], batch.tokens[:, : longest - 1]], dim=1)  # [n, longest]
    places = torch.arange(longest, device=ids.device)
    hidden = decoder(
        input_ids=inputs,
        attention_mask=_continued_mask(visible[row], longest),
        position_ids=lengths[row, None] - 1 + places,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    return hidden[batch.mask[:, :longest]]


def token_logprobs(logits: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    """Log-probability of each token at the temperature, `[K, V], [K] -> [K]`, in float32 at least."""
    scaled = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    return -torch.nn.functional.cross_entropy(scaled, tokens, reduction="none")


def entropy(logits: Tensor, temperature: float) -> Tensor:
    """Entropy of each distribution in nats, `[K, V] -> [K]`.

    Some rows at a time: the logits are the largest thing in memory, and this would need them twice more.
    """
    return torch.cat([_entropy(rows.float() / temperature) for rows in logits.split(_ROWS_AT_ONCE)])


def _entropy(scaled: Tensor) -> Tensor:
    logp = scaled.log_softmax(-1)
    return -(logp.exp() * logp).sum(-1)


def batch_logprobs(model: Any, batch: Batch, *, temperature: float, micro_batch: int) -> Tensor:
    """Log-probabilities of a whole batch without gradient, `[N, T]`, 0 where there is no token."""
    return in_micro_batches(
        batch, micro_batch, lambda rows: token_logprobs(*completion_logits(model, rows), temperature=temperature)
    )


@torch.no_grad()
def in_micro_batches(batch: Batch, size: int, of_tokens: Callable[[Batch], Tensor]) -> Tensor:
    """A number for each token, computed some rows at a time, without gradient: `[N, T]`, 0 where there is no token.

    `of_tokens` gives those of some rows, `[K]`, ordered as `tokens[mask]`.
    """
    found: Tensor | None = None
    for index in by_length(batch).split(size):
        rows = batch.rows(index)
        values = of_tokens(rows)
        found = values.new_zeros(batch.tokens.shape) if found is None else found
        micro = found[index]
        micro[rows.mask] = values
        found[index] = micro
    return torch.zeros(batch.tokens.shape, device=batch.tokens.device) if found is None else found


def by_length(batch: Batch) -> Tensor:
    """Row numbers from the shortest completion to the longest, without empty ones: a slice pads little."""
    order = batch.length.argsort(stable=True)
    return order[batch.length[order] > 0]


def _trimmed_prompts(ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Cut the columns that are padding in every prompt; at least one stays before the last token."""
    width = max(int(lengths.max()), 2)
    if ids.shape[1] < width:
        ids = torch.nn.functional.pad(ids, (width - ids.shape[1], 0))
    return ids[:, ids.shape[1] - width :], lengths


def _prompt_cache(decoder: Any, ids: Tensor, lengths: Tensor) -> tuple[DynamicCache, Tensor]:
    """Keys and values of left-padded prompts, and which of their columns hold a token, `[G, P]`."""
    width = ids.shape[1]
    visible = torch.arange(width, device=ids.device) >= width - lengths[:, None]
    cache = DynamicCache()
    decoder(
        input_ids=ids,
        attention_mask=None if bool(visible.all()) else _causal_mask(visible),
        position_ids=(visible.cumsum(1) - 1).clamp_min(0),
        past_key_values=cache,
        use_cache=True,
    )
    return cache, visible


def _causal_mask(visible: Tensor) -> Tensor:
    """`[G, 1, P, P]`. Padding sees itself: a place that sees nothing is NaN, and NaN spreads."""
    width = visible.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool, device=visible.device).tril()
    itself = torch.eye(width, dtype=torch.bool, device=visible.device)
    return ((causal & visible[:, None]) | itself)[:, None]


def _continued_mask(visible: Tensor, length: int) -> Tensor:
    """`[n, 1, T, P + T]`: every token sees its prompt, itself and what came before it."""
    rows = len(visible)
    causal = torch.ones(length, length, dtype=torch.bool, device=visible.device).tril()
    prompt = visible[:, None].expand(rows, length, visible.shape[1])
    return torch.cat([prompt, causal.expand(rows, length, length)], dim=2)[:, None]
