"""A micro-batch as one row of tokens without padding, and the attention that keeps its sequences apart.

A prompt stands in the row once, whatever the number of its completions, so that every layer works on it once. In
attention alone each completion is put behind the keys and values of its prompt. Positions begin anew with each prompt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from trainer.rollouts import Batch

ATTENTION: Final = "shared_prompts"
"""What models are loaded with. For a forward pass that brings no packed row it is `sdpa`."""
_SHORT: Final = 64
"""Sequences up to here are computed together, however many of their places are padding."""


@dataclass(frozen=True, slots=True)
class Span:
    """A sequence of attention: places of the row, of which the last `asking` look at those before and themselves."""

    places: Tensor
    asking: int


@dataclass(frozen=True, slots=True)
class Block:
    """Sequences of similar length, padded on the right."""

    queries: Tensor
    """`[n, Q]` places of the row."""
    keys: Tensor
    """`[n, K]` places of the row."""
    visible: Tensor | None
    """`[n, 1, Q, K]`; None where queries are keys, and each sees those before it."""


@dataclass(slots=True)
class Packed:
    """The row of a micro-batch."""

    ids: Tensor
    """`[1, S]`"""
    positions: Tensor
    """`[1, S]`"""
    predicting: Tensor
    """`[K]` the place that predicts each token of the completions, ordered as `tokens[mask]`."""
    spans: Sequence[Span]
    _blocks: tuple[list[Block], Tensor] | None = field(default=None, repr=False)
    _flat: tuple[Tensor, ...] | None = field(default=None, repr=False)

    @property
    def attended(self) -> bool:
        """Whether any attention was computed in it."""
        return self._blocks is not None or self._flat is not None

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Attention within each sequence, `[S, heads, D] -> [S, heads, D]`."""
        if query.is_cuda and query.dtype in (torch.float16, torch.bfloat16) and _varlen() is not None:
            return self._without_padding(query, key, value, scale)
        if self._blocks is None:
            self._blocks = blocks(self.spans, self.ids.shape[1])
        every, owner = self._blocks
        repeats = query.shape[1] // key.shape[1]
        found = []
        for block in every:
            q, k, v = gather(query, block.queries), gather(key, block.keys), gather(value, block.keys)
            if repeats > 1:
                k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
            out = scaled_dot_product_attention(
                q, k, v, attn_mask=block.visible, is_causal=block.visible is None, scale=scale
            )
            found.append(out.transpose(1, 2).flatten(0, 1))
        return rows_of(torch.cat(found), owner)

    def _without_padding(self, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        if self._flat is None:
            self._flat = flat(self.spans, self.ids.shape[1])
        asked, seen, starts_q, starts_k, owner = self._flat
        longest = [int(starts.diff().max()) for starts in (starts_q, starts_k)]
        kernel: Any = _varlen()
        found = kernel(
            rows_of(query, asked), rows_of(key, seen), rows_of(value, seen), starts_q, starts_k, *longest,
            scale=scale, window_size=(-1, 0), enable_gqa=key.shape[1] != query.shape[1],
        )  # fmt: skip
        return rows_of(found, owner)


def packed(batch: Batch) -> Packed:
    """The row of these rollouts: each prompt that is used, and each completion without its last token.

    Rollouts without a token are left out. Of none at all, the row is one place that predicts nothing: a micro-batch
    without rows goes through the model as any other does, and has a gradient of 0.
    """
    device, used = batch.tokens.device, batch.length > 0
    groups, group = batch.group[used].unique(return_inverse=True)
    prompts, completions, lengths = batch.prompts[groups], batch.tokens[used], batch.length[used]
    if not len(lengths):
        return _nothing(device)
    sizes = batch.prompt_length[groups]
    in_prompt = torch.arange(prompts.shape[1], device=device) >= prompts.shape[1] - sizes[:, None]
    fed = torch.arange(completions.shape[1], device=device) < lengths[:, None] - 1
    ids = torch.cat([prompts[in_prompt], completions[fed]])
    starts = torch.cat([sizes, lengths - 1]).cumsum(0) - torch.cat([sizes, lengths - 1])
    before = torch.cat([torch.zeros_like(sizes), sizes[group]])  # tokens that a part of the row follows on
    counts = torch.cat([sizes, lengths - 1])
    place = torch.arange(len(ids), device=device)
    positions = place - (starts - before).repeat_interleave(counts)
    return Packed(
        ids[None], positions[None], _predicting(starts, sizes, lengths, group), _spans(starts, sizes, lengths, group)
    )


def _nothing(device: torch.device) -> Packed:
    place = torch.zeros(1, 1, dtype=torch.long, device=device)
    return Packed(place, place, place[0, :0], [Span(place[0], 1)])


def packed_texts(texts: Sequence[tuple[Sequence[int], Sequence[bool]]], device: torch.device) -> tuple[Packed, Tensor]:
    """The row of texts, given as tokens and whether each is learnt, and the learnt tokens, `[K]`.

    A text goes in without its last token. Of no texts, the row is as that of no rollouts.
    """
    if not texts:
        row = _nothing(device)
        return row, row.predicting
    counts = torch.tensor([len(ids) - 1 for ids, _ in texts])
    ids = torch.tensor([token for ids, _ in texts for token in ids[:-1]])
    following = torch.tensor([token for ids, _ in texts for token in ids[1:]])
    learnt = torch.tensor([flag for _, flags in texts for flag in flags[1:]], dtype=torch.bool)
    place = torch.arange(len(ids))
    positions = place - (counts.cumsum(0) - counts).repeat_interleave(counts)
    spans = [Span(part.to(device), len(part)) for part in place.split(counts.tolist()) if len(part)]
    row = Packed(ids[None].to(device), positions[None].to(device), place[learnt].to(device), spans)
    return row, following[learnt].to(device)


def _predicting(starts: Tensor, sizes: Tensor, lengths: Tensor, group: Tensor) -> Tensor:
    """The first token of a completion is predicted by its prompt's last place, the next by its own first."""
    prompts = len(sizes)
    first = lengths.cumsum(0) - lengths
    index = torch.arange(int(lengths.sum()), device=lengths.device)
    found = index + (starts[prompts:] - 1 - first).repeat_interleave(lengths)
    found[first] = (starts[:prompts] + sizes - 1)[group]
    return found


def _spans(starts: Tensor, sizes: Tensor, lengths: Tensor, group: Tensor) -> list[Span]:
    begin, prompts = starts.tolist(), sizes.tolist()
    spans = [Span(torch.arange(begin[row], begin[row] + size), size) for row, size in enumerate(prompts)]
    for row, (of, length) in enumerate(zip(group.tolist(), lengths.tolist(), strict=True)):
        own = torch.arange(begin[len(prompts) + row], begin[len(prompts) + row] + length - 1)
        if length > 1:
            spans.append(Span(torch.cat([spans[of].places, own]), length - 1))
    return [Span(span.places.to(starts.device), span.asking) for span in spans]


def blocks(spans: Sequence[Span], places: int) -> tuple[list[Block], Tensor]:
    """The spans in blocks of similar length, and where among all results, laid end to end, that of each place is."""
    ordered = sorted(spans, key=lambda span: (_mostly_asks(span), -len(span.places)))
    found: list[Block] = []
    owner, offset = torch.zeros(places, dtype=torch.long, device=ordered[0].places.device), 0
    while ordered:
        longest = len(ordered[0].places)
        alike = [span for span in ordered if _mostly_asks(span) == _mostly_asks(ordered[0])]
        near = [span for span in alike if 2 * len(span.places) >= longest or longest <= _SHORT]
        ordered = ordered[len(near) :]
        block = _block(near)
        width = block.queries.shape[1]
        for row, span in enumerate(near):
            begin = offset + row * width + (len(span.places) - span.asking if block.visible is None else 0)
            own = span.places[-span.asking :]
            owner[own] = torch.arange(begin, begin + span.asking, device=own.device)
        found.append(block)
        offset += block.queries.numel()
    return found, owner


def _mostly_asks(span: Span) -> bool:
    """Whether a mask would save less than it costs. Short sequences are computed together all the same."""
    return 2 * span.asking >= len(span.places) or len(span.places) <= _SHORT


def _block(spans: Sequence[Span]) -> Block:
    """Every place asks, which needs no mask, unless that would be more work than a mask."""
    keys = pad_sequence([span.places for span in spans], batch_first=True)
    asking = max(span.asking for span in spans)
    if keys.shape[1] <= 2 * asking:
        return Block(keys, keys, None)
    queries = pad_sequence([span.places[-span.asking :] for span in spans], batch_first=True)
    device = keys.device
    before = torch.tensor([len(span.places) - span.asking for span in spans], device=device)
    last = before[:, None] + torch.arange(queries.shape[1], device=device)
    return Block(queries, keys, (torch.arange(keys.shape[1], device=device) <= last[:, :, None])[:, None])


def flat(spans: Sequence[Span], places: int) -> tuple[Tensor, ...]:
    """Queries and keys of all spans end to end, where each span begins and the last ends, and which query each place
    is."""
    asked = torch.cat([span.places[-span.asking :] for span in spans])
    seen = torch.cat([span.places for span in spans])
    counts = torch.tensor([[span.asking for span in spans], [len(span.places) for span in spans]], device=asked.device)
    starts = torch.nn.functional.pad(counts.cumsum(1), (1, 0)).to(torch.int32)
    owner = torch.zeros(places, dtype=torch.long, device=asked.device)
    owner[asked] = torch.arange(len(asked), device=asked.device)
    return asked, seen, starts[0].contiguous(), starts[1].contiguous(), owner


def gather(values: Tensor, index: Tensor) -> Tensor:
    """`[S, heads, D], [n, L] -> [n, heads, L, D]`"""
    return rows_of(values, index.flatten()).unflatten(0, index.shape).transpose(1, 2)


def rows_of(values: Tensor, index: Tensor) -> Tensor:
    """`values[index]`. An embedding's gradient adds rows in a fixed order, and quickly."""
    return embedding(index, values.flatten(1)).unflatten(1, values.shape[1:])


def _varlen() -> Callable[..., Any] | None:
    """The kernel for sequences of different lengths, which torch has had since 2.10."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """`[1, heads, S, D] -> [1, S, heads, D]`, as transformers calls it."""
    row: Packed | None = options.pop("packed", None)
    if row is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    q, k, v = (part[0].transpose(0, 1) for part in (query, key, value))
    return row.attend(q, k, v, options.get("scaling"))[None], None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
