"""A key-value cache that is written in place and has no more room than it needs: no copy a token, none for tokens that
may never come. Rows are dropped as they finish, and others take their place."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

BLOCK = 128
"""Columns of room that are added at a time: copying a cache once in so many tokens costs little beside reading all of
it for each of them."""


class GrowingLayer(CacheLayerMixin):
    """Keys and values of one layer, `[rows, heads, room, head_dim]`, of which the first `length` columns are set.

    Rows end in the same column, whatever their lengths: what a row has too little is blank on its left.
    """

    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.length = keys.shape[2]
        self.keys, self.values = _placed([keys]), _placed([values])
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: a prefill came first."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the new columns and return everything so far, as views."""
        start, self.length = self.length, self.length + key_states.shape[2]
        if self.length > self.keys.shape[2]:
            self.keys, self.values = _placed([self.keys[:, :, :start]]), _placed([self.values[:, :, :start]])
        self.keys[:, :, start : self.length] = key_states
        self.values[:, :, start : self.length] = value_states
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def keep(self, rows: Tensor, first: int) -> None:
        """Drop all rows but these, `[kept]`, and the columns before `first`."""
        set_columns = slice(first, self.length)
        self.keys = _placed([self.keys[:, :, set_columns].index_select(0, rows)])
        self.values = _placed([self.values[:, :, set_columns].index_select(0, rows)])
        self.length -= first

    def add(self, keys: Tensor, values: Tensor) -> None:
        """Put rows below, all of them ending in the same column."""
        self.keys = _placed([self.keys[:, :, : self.length], keys])
        self.values = _placed([self.values[:, :, : self.length], values])
        self.length = max(self.length, keys.shape[2])

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of what a query of this length attends to."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Columns set so far."""
        return self.length

    def get_max_length(self) -> int:
        """Columns there is room for."""
        return self.keys.shape[2]


def growing(prefilled: DynamicCache, repeats: int) -> Cache:
    """A cache with each row of `prefilled` `repeats` times."""
    return Cache(layers=[GrowingLayer(*_repeated(layer, repeats)) for layer in prefilled.layers])


def add_rows(cache: Cache, prefilled: DynamicCache, repeats: int) -> None:
    """Put each row of `prefilled` below, `repeats` times."""
    for layer, more in zip(cache.layers, prefilled.layers, strict=True):
        layer.add(*_repeated(more, repeats))


def keep_rows(cache: Cache, rows: Tensor, first: int) -> None:
    """Drop all rows but these, `[kept]`, and the columns before `first`, which are blank in all of them."""
    for layer in cache.layers:
        layer.keep(rows, first)


def _repeated(layer: Any, repeats: int) -> tuple[Tensor, Tensor]:
    """Keys and values, each row several times, as views."""
    keys, values = (states[:, None].expand(-1, repeats, -1, -1, -1) for states in (layer.keys, layer.values))
    return keys.flatten(0, 1), values.flatten(0, 1)


def _placed(parts: Sequence[Tensor]) -> Tensor:
    """Rows under one another, ending in the same column, with room behind it. What is blank is 0: weights of 0 do not
    hide what is no number."""
    length, rows = max(part.shape[2] for part in parts), sum(part.shape[0] for part in parts)
    room = (length // BLOCK + 1) * BLOCK
    placed = parts[0].new_empty(rows, parts[0].shape[1], room, parts[0].shape[3])
    for part, below in zip(parts, placed.split([part.shape[0] for part in parts]), strict=True):
        below[:, :, : length - part.shape[2]] = 0
        below[:, :, length - part.shape[2] : length] = part
    return placed
