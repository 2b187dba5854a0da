"""Attention of sequences that lie end to end in one row, some of which go on from a prompt that lies there once.

A completion attends to its prompt, and to itself. Both are computed where keys and values lie, for all completions of a
prompt together, so that nothing is copied; then they are weighed by the sums of their softmaxes (as in arXiv
2402.05099). On the way back each is given the whole sum, which makes its probabilities those of the whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_SHORT: Final = 64
"""Sequences up to here are computed together, however many of their places are padding."""
_ALIGNED: Final = 8
"""What kernels want the width of a head to be a multiple of."""
_NO_QUERY: Final = 1e6
"""Logarithm of a sum that makes every probability 0."""
_aten: Final[Any] = torch.ops.aten

Attended = tuple[Tensor, Tensor]
"""Result `[Q, heads, D]`, and logarithm `[Q, heads]` of the sum of each softmax."""
Three = tuple[Tensor, Tensor, Tensor]
"""Queries, keys and values, or their gradients."""


@dataclass
class Layout:
    """Which places of a row belong together; says it of all its layers.

    The first of the `segments` are the prompts. What goes on from them comes after all prompts, in their order.
    """

    segments: Sequence[int]
    """Places of each sequence that attends to itself."""
    following: Sequence[int]
    """Places that go on from each of the prompts."""
    device: torch.device

    @cached_property
    def prompts(self) -> int:
        """Places of all prompts."""
        return sum(self.segments[: len(self.following)])

    @cached_property
    def blocks(self) -> list[tuple[Tensor, Tensor]]:
        """Places `[n, L]` of segments of similar length, and which of them are there and not padding."""
        ends = list(accumulate(self.segments))
        ordered = sorted(((size, end - size) for size, end in zip(self.segments, ends, strict=True) if size))
        found = []
        while ordered:
            longest = ordered[-1][0]
            near = [each for each in ordered if 2 * each[0] >= longest or longest <= _SHORT]
            ordered = ordered[: -len(near)]
            sizes, starts = torch.tensor(near, device=self.device).T[..., None]
            place = torch.arange(longest, device=self.device)
            found.append(((starts + place) * (place < sizes), place < sizes))
        return found

    @cached_property
    def shared(self) -> list[tuple[slice, slice]]:
        """Of each prompt that something goes on from: the places of that, after all prompts, and its own."""
        sizes = self.segments[: len(self.following)]
        ends = zip(accumulate(self.following), accumulate(sizes), self.following, sizes, strict=True)
        return [(slice(q - follow, q), slice(k - own, k)) for q, k, follow, own in ends if follow]

    @cached_property
    def bounds(self) -> tuple["Bounds", "Bounds"]:
        """Where segments begin and end; and where what follows each prompt does, and the prompts."""
        sizes = self.segments[: len(self.following)]
        return Bounds.of(self.segments, self.segments, self.device), Bounds.of(self.following, sizes, self.device)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sequences end to end, as kernels for different lengths are told of them."""

    queries: Tensor
    keys: Tensor
    longest: tuple[int, int]

    @classmethod
    def of(cls, queries: Sequence[int], keys: Sequence[int], device: torch.device) -> "Bounds":
        """Of sequences of so many queries and keys."""
        starts = [torch.tensor([0, *accumulate(sizes)], dtype=torch.int32, device=device) for sizes in (queries, keys)]
        return cls(starts[0], starts[1], (max(queries, default=0), max(keys, default=0)))


def attend(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float | None) -> Tensor:
    """Attention within each sequence, `[S, heads, D] -> [S, heads, D]`. Keys and values may have fewer heads."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    wide = -(-max(query.shape[-1], value.shape[-1]) // _ALIGNED) * _ALIGNED
    parts = [torch.nn.functional.pad(part, (0, wide - part.shape[-1])) for part in (query, key, value)]
    found: Tensor = _Attention.apply(*parts, layout, scale)
    return found[..., : value.shape[-1]]


class _Attention(torch.autograd.Function):
    """Keeps what the layers keep anyway, the result and one number a query and head."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, layout: Layout, scale: float) -> Tensor:
        kernel = _kernel(q, layout, scale)
        out, weight = kernel.own(q, k, v)
        if len(q) > (start := layout.prompts):
            before, other = kernel.before(q[start:], k[:start], v[:start])
            whole = torch.logaddexp(weight[start:], other)
            mine, others = ((each - whole).exp()[..., None] for each in (weight[start:], other))
            out[start:] = out[start:] * mine + before * others  # in float32 at least
            weight[start:] = whole
        ctx.save_for_backward(q, k, v, out, weight)
        ctx.layout, ctx.scale = layout, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, weight = ctx.saved_tensors
        kernel, start = _kernel(q, ctx.layout, ctx.scale), ctx.layout.prompts
        of_q, of_k, of_v = kernel.own_back(grad, q, k, v, out, weight)
        if len(q) > start:
            known = k[:start], v[:start], out[start:], weight[start:]
            more = kernel.before_back(grad[start:], q[start:], *known)
            of_q[start:] += more[0]
            of_k[:start] += more[1]
            of_v[:start] += more[2]
        return of_q, of_k, of_v, None, None


class _Kernel(Protocol):
    """Both attentions, forth and back."""

    def own(self, q: Tensor, k: Tensor, v: Tensor) -> Attended:
        """Each place attends to those of its segment up to itself."""
        ...

    def before(self, q: Tensor, k: Tensor, v: Tensor) -> Attended:
        """What goes on from prompts attends to them; `q` are the places after all prompts, `k` and `v` the prompts'."""
        ...

    def own_back(self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, weight: Tensor) -> Three:
        """The way back of `own`, given the whole result and the whole sum."""
        ...

    def before_back(self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, weight: Tensor) -> Three:
        """The way back of `before`, likewise."""
        ...


def _kernel(q: Tensor, layout: Layout, scale: float) -> _Kernel:
    if q.is_cuda and q.dtype in (torch.float16, torch.bfloat16):
        return _Flat(layout, scale)
    return _Dense(layout, scale)


class _Dense:
    """Segments padded to blocks of similar length; one product for each prompt and all that follows it."""

    def __init__(self, layout: Layout, scale: float) -> None:
        self._layout, self._scale = layout, scale

    def own(self, q: Tensor, k: Tensor, v: Tensor) -> Attended:
        out, weight = torch.empty_like(q), _weights(q)
        for places, there in self._layout.blocks:
            found, sums = _forth(*_block(q, k, v, places), causal=True, scale=self._scale)
            out[places[there]] = found.transpose(1, 2)[there]
            weight[places[there]] = sums.transpose(1, 2)[there].to(weight.dtype)
        return out, weight

    def own_back(self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, weight: Tensor) -> Three:
        of = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for places, there in self._layout.blocks:
            given = _taken(grad, places).masked_fill(~there[:, None, :, None], 0)
            sums = weight[places].transpose(1, 2).masked_fill(~there[:, None], _NO_QUERY)
            found = _back(given, *_block(q, k, v, places), _taken(out, places), sums, causal=True, scale=self._scale)
            for whole, part in zip(of, found, strict=True):
                whole[places[there]] = _summed(part, whole.shape[1]).transpose(1, 2)[there]
        return of

    def before(self, q: Tensor, k: Tensor, v: Tensor) -> Attended:
        out, weight = torch.empty_like(q), _weights(q)
        for asking, _, parts in self._shared(q, k, v):
            found, sums = _forth(*parts, causal=False, scale=self._scale)
            out[asking], weight[asking] = _unfolded(found, q), _unfolded(sums[..., None], q)[..., 0].to(weight.dtype)
        return out, weight

    def before_back(self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, weight: Tensor) -> Three:
        of_q, of_k, of_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for asking, seen, parts in self._shared(q, k, v):
            given, result = (_folded(part[asking], k.shape[1]) for part in (grad, out))
            sums = _folded(weight[asking][..., None], k.shape[1])[..., 0]
            found = _back(given, *parts, result, sums, causal=False, scale=self._scale)
            of_q[asking] = _unfolded(found[0], q)
            of_k[seen], of_v[seen] = (part[0].transpose(0, 1) for part in found[1:])
        return of_q, of_k, of_v

    def _shared(self, q: Tensor, k: Tensor, v: Tensor) -> Iterator[tuple[slice, slice, Three]]:
        for asking, seen in self._layout.shared:
            key, value = (part[seen].transpose(0, 1)[None] for part in (k, v))
            yield asking, seen, (_folded(q[asking], k.shape[1]), key, value)


class _Flat:
    """On GPUs in half precision: a kernel that is told where sequences begin, and needs neither blocks nor turns."""

    def __init__(self, layout: Layout, scale: float) -> None:
        self._own, self._before = layout.bounds
        self._scale = scale

    def own(self, q: Tensor, k: Tensor, v: Tensor) -> Attended:
        return self._forth(q, k, v, self._own, causal=True)

    def before(self, q: Tensor, k: Tensor, v: Tensor) -> Attended:
        return self._forth(q, k, v, self._before, causal=False)

    def own_back(self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, weight: Tensor) -> Three:
        return self._back(grad, q, k, v, out, weight, self._own, causal=True)

    def before_back(self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, weight: Tensor) -> Three:
        return self._back(grad, q, k, v, out, weight, self._before, causal=False)

    def _forth(self, q: Tensor, k: Tensor, v: Tensor, bounds: Bounds, *, causal: bool) -> Attended:
        known = (bounds.queries, bounds.keys, *bounds.longest)
        found = _aten._flash_attention_forward(q, k, v, *known, 0.0, causal, False, scale=self._scale)
        return found[0], found[1].T.contiguous()

    def _back(
        self,
        grad: Tensor,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        out: Tensor,
        weight: Tensor,
        bounds: Bounds,
        *,
        causal: bool,
    ) -> Three:
        known = (bounds.queries, bounds.keys, *bounds.longest)
        nothing_drawn = torch.zeros(2, dtype=torch.uint64, device=q.device), torch.empty(0, device=q.device)
        found: Three = _aten._flash_attention_backward(
            grad.contiguous(), q, k, v, out, weight.T.contiguous(), *known, 0.0, causal, *nothing_drawn,
            scale=self._scale,
        )  # fmt: skip
        return found


def _forth(q: Tensor, k: Tensor, v: Tensor, *, causal: bool, scale: float) -> Attended:
    """`[n, heads, L, D]`; the logarithms are `[n, heads, L]`."""
    if q.is_cuda:
        found = _aten._scaled_dot_product_efficient_attention(q, k, v, None, True, 0.0, causal, scale=scale)
        return found[0], found[1][..., : q.shape[2]]
    out, weight = _aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, scale=scale)
    return out, weight


def _back(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, weight: Tensor, *, causal: bool, scale: float
) -> Three:
    if not q.is_cuda:
        back = _aten._scaled_dot_product_flash_attention_for_cpu_backward
        found: Three = back(grad, q, k, v, out, weight, 0.0, causal, scale=scale)
        return found
    aligned = torch.nn.functional.pad(weight, (0, -weight.shape[2] % 32), value=_NO_QUERY).contiguous()
    nothing_drawn = [torch.zeros((), dtype=torch.long, device=q.device)] * 2
    back, wanted = _aten._scaled_dot_product_efficient_attention_backward, [True, True, True, False]
    three = back(grad, q, k, v, None, out, aligned, *nothing_drawn, 0.0, wanted, causal, scale=scale)
    return three[0], three[1], three[2]


def _weights(q: Tensor) -> Tensor:
    return q.new_empty(q.shape[:2], dtype=torch.promote_types(q.dtype, torch.float32))


def _block(q: Tensor, k: Tensor, v: Tensor, places: Tensor) -> Three:
    """A head of keys and values for each of queries."""
    query, key, value = (_taken(part, places) for part in (q, k, v))
    return query, _repeated(key, q), _repeated(value, q)


def _taken(rows: Tensor, places: Tensor) -> Tensor:
    """`[S, heads, D], [n, L] -> [n, heads, L, D]`"""
    return rows.index_select(0, places.flatten()).unflatten(0, places.shape).transpose(1, 2)


def _repeated(part: Tensor, q: Tensor) -> Tensor:
    """A head of keys for each of queries, `[n, kv, L, D] -> [n, heads, L, D]`."""
    return part if part.shape[1] == q.shape[1] else part.repeat_interleave(q.shape[1] // part.shape[1], 1)


def _summed(part: Tensor, heads: int) -> Tensor:
    """The way back of `_repeated`."""
    return part if part.shape[1] == heads else part.unflatten(1, (heads, -1)).sum(2)


def _folded(rows: Tensor, heads: int) -> Tensor:
    """Heads that share a head of keys become queries of it, `[Q, heads, D] -> [1, kv, Q * heads / kv, D]`."""
    return rows.unflatten(1, (heads, -1)).transpose(0, 1).flatten(1, 2)[None]


def _unfolded(part: Tensor, q: Tensor) -> Tensor:
    """The way back of `_folded`."""
    return part[0].unflatten(1, (-1, q.shape[1] // part.shape[1])).transpose(0, 1).flatten(1, 2)
