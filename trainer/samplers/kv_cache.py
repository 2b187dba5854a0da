"""A key-value cache that is written in place: no copy a token, and rows can be dropped as they finish."""

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache


class PreallocatedLayer(CacheLayerMixin):
    """Keys and values of one layer, `[rows, heads, capacity, head_dim]`, of which the first `length` are set.

    Built from the keys and values of a prefill.
    """

    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor, repeats: int, room: int) -> None:
        super().__init__()
        self.length = keys.shape[2]
        self.keys, self.values = _with_room(keys, repeats, room), _with_room(values, repeats, room)
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: a prefill came first."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the new positions and return everything so far, as views."""
        start, self.length = self.length, self.length + key_states.shape[2]
        self.keys[:, :, start : self.length] = key_states
        self.values[:, :, start : self.length] = value_states
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these, `[kept]`."""
        self.keys, self.values = self.keys[rows], self.values[rows]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of what a query of this length attends to."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Positions set so far."""
        return self.length

    def get_max_length(self) -> int:
        """Positions there is room for."""
        return self.keys.shape[2]


def expand(prefilled: DynamicCache, repeats: int, room: int) -> Cache:
    """Repeat each prompt's cache `repeats` times, with room for `room` more tokens."""
    return Cache(layers=[PreallocatedLayer(layer.keys, layer.values, repeats, room) for layer in prefilled.layers])


def keep_rows(cache: Cache, rows: Tensor) -> None:
    """Drop all rows of the cache but these, `[kept]`."""
    for layer in cache.layers:
        layer.keep(rows)


def _with_room(states: Tensor, repeats: int, room: int) -> Tensor:
    prompts, heads, length, size = states.shape
    buffer = states.new_empty(prompts, repeats, heads, length + room, size)
    buffer[:, :, :, :length] = states[:, None]
    return buffer.view(prompts * repeats, heads, length + room, size)
