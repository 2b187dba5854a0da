"""A micro-batch as one row of tokens without padding, and the attention that keeps its sequences apart.

A prompt stands in the row once, whatever the number of its completions, so that every layer works on it once; how they
attend to it is in `trainer.attention`. Positions begin anew with each prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import embedding
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from trainer.attention import Layout, attend
from trainer.rollouts import Batch

ATTENTION: Final = "shared_prompts"
"""What models are loaded with. For a forward pass that brings no packed row it is `sdpa`."""


@dataclass(slots=True)
class Packed:
    """The row of a micro-batch."""

    ids: Tensor
    """`[1, S]`"""
    positions: Tensor
    """`[1, S]`"""
    predicting: Tensor
    """`[K]` the place that predicts each token of the completions, ordered as `tokens[mask]`."""
    layout: Layout
    attended: bool = False
    """Whether any attention was computed in it."""


def packed(batch: Batch) -> Packed:
    """The row of these rollouts: each prompt that is used, then each completion without its last token, prompt by
    prompt.

    Rollouts without a token are left out. Of none at all, the row is one place that predicts nothing: a micro-batch
    without rows goes through the model as any other does, and has a gradient of 0.
    """
    device, used = batch.tokens.device, batch.length > 0
    groups, group = batch.group[used].unique(return_inverse=True)
    if not len(group):
        return _nothing(device)
    order = group.argsort(stable=True)
    prompts, sizes = batch.prompts[groups], batch.prompt_length[groups]
    completions, fed = batch.tokens[used][order], batch.length[used][order] - 1
    in_prompt = torch.arange(prompts.shape[1], device=device) >= prompts.shape[1] - sizes[:, None]
    in_completion = torch.arange(completions.shape[1], device=device) < fed[:, None]
    ids = torch.cat([prompts[in_prompt], completions[in_completion]])
    counts = torch.cat([sizes, fed])
    starts = counts.cumsum(0) - counts
    before = torch.cat([torch.zeros_like(sizes), sizes[group[order]]])  # tokens that a part of the row follows on
    positions = torch.arange(len(ids), device=device) - (starts - before).repeat_interleave(counts)
    following = torch.zeros_like(sizes).index_add(0, group[order], fed)
    begin = torch.empty_like(fed)
    begin[order] = starts[len(sizes) :]
    predicting = _predicting(begin, (starts[: len(sizes)] + sizes - 1)[group], batch.length[used])
    return Packed(ids[None], positions[None], predicting, Layout(counts.tolist(), following.tolist(), device))


def _nothing(device: torch.device) -> Packed:
    place = torch.zeros(1, 1, dtype=torch.long, device=device)
    return Packed(place, place, place[0, :0], Layout([1], [0], device))


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
    layout = Layout(counts.tolist(), [0] * len(texts), device)
    row = Packed(ids[None].to(device), positions[None].to(device), place[learnt].to(device), layout)
    return row, following[learnt].to(device)


def _predicting(begin: Tensor, last: Tensor, lengths: Tensor) -> Tensor:
    """The first token of a completion is predicted by its prompt's last place, the next by its own first.

    Of each completion: where it begins, the last place of its prompt, its tokens.
    """
    first = lengths.cumsum(0) - lengths
    index = torch.arange(int(lengths.sum()), device=lengths.device)
    found = index + (begin - 1 - first).repeat_interleave(lengths)
    found[first] = last
    return found


def rows_of(values: Tensor, index: Tensor) -> Tensor:
    """`values[index]`. An embedding's gradient adds rows in a fixed order, and quickly."""
    return embedding(index, values.flatten(1)).unflatten(1, values.shape[1:])


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """`[1, heads, S, D] -> [1, S, heads, D]`, as transformers calls it."""
    row: Packed | None = options.pop("packed", None)
    if row is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    row.attended = True
    q, k, v = (part[0].transpose(0, 1) for part in (query, key, value))
    return attend(q, k, v, row.layout, options.get("scaling"))[None], None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
