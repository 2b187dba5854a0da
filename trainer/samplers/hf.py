"""Sampling with the very model that is trained: one prefill a prompt, an in-place cache, our own decode loop.

The draws of a row are fixed before decoding starts, one uniform number a token, so which rows have finished, and which
are decoded together, changes nothing about what a row samples. Prompts that find no room wait, the longest first, so
that those of like length are side by side.
"""

import hashlib
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from rewarders.types import FinishReason
from trainer.samplers import Sample, SampleRequest
from trainer.samplers.kv_cache import add_rows, growing, keep_rows

_WORTH_DROPPING = 8
"""Finished rows are dropped once they are an eighth of the rows: sooner costs more copying than it saves."""
_WORTH_FILLING = 4
"""Where rows are refilled, waiting prompts are begun once they can fill a quarter of them, for the same reason."""
_LOOK_EVERY, _LOOK_EVERY_ON_CPU = 8, 1
"""Tokens between two looks at what has finished: a look has to wait for a GPU."""


class HfSampler:
    """Samples from a transformers model that lives in this process; its weights are always the newest.

    Args:
        model: what samples.
        stop_ids: tokens that end a completion.
        rows_at_once: completions decoded together.
        refill: whether waiting prompts take the place of rows that have ended, or wait until all have. A GPU takes as
            long for few rows as for many, and so does by default; a CPU loses by it, because those that join later
            attend to the blank columns of those that were there before.
    """

    def __init__(
        self, model: Any, *, stop_ids: Sequence[int], rows_at_once: int = 512, refill: bool | None = None
    ) -> None:
        self.model = model
        self.stops = torch.tensor(list(stop_ids), device=model.device)
        self.rows_at_once = rows_at_once
        self.refill = model.device.type != "cpu" if refill is None else refill

    def sample(
        self, prompts: Sequence[Sequence[int]], request: SampleRequest, *, before: int = 0
    ) -> list[list[Sample]]:
        """`group_size` completions of each prompt, in the order of the prompts; see `stream`."""
        return [samples for _, samples in sorted(self.stream(prompts, request, before=before), key=itemgetter(0))]

    @torch.inference_mode()
    def stream(
        self, prompts: Sequence[Sequence[int]], request: SampleRequest, *, before: int = 0
    ) -> Iterator[tuple[int, list[Sample]]]:
        """Number of a prompt and its completions, as soon as all of them have ended.

        In the order they end in, which `rows_at_once` and the lengths decide; those that end together in that of the
        prompts. With `before`, so many prompts of the request come before these and are completed by somebody else, who
        has their draws.
        """
        decoding = _Decoding(self.model, self.stops, prompts, request, before, self.rows_at_once, refill=self.refill)
        for prompt in decoding.run():
            yield prompt, decoding.samples(prompt)

    def take_weights(self, model: Any, version: str) -> None:
        """Sample from this very model from now on."""
        self.model = model

    def close(self) -> None:
        """Nothing to do."""


class _Decoding:
    """All completions of some prompts. Of N = prompts x group_size rows, `rows` are decoded now, `[n]`."""

    def __init__(
        self,
        model: Any,
        stops: Tensor,
        prompts: Sequence[Sequence[int]],
        request: SampleRequest,
        before: int,
        rows_at_once: int,
        *,
        refill: bool,
    ) -> None:
        self.model, self.stops, self.prompts, self.request, self.refill = model, stops, prompts, request, refill
        self.size, self.most = request.group_size, max(rows_at_once, request.group_size)
        count, places, device = len(prompts) * self.size, request.max_new_tokens, model.device
        self.uniforms = _uniforms(before * self.size, count, request).to(device)
        # one column more: rows that have ended go on writing behind their end until they are dropped
        self.tokens = torch.zeros(count, places + 1, dtype=torch.long, device=device)
        self.logprobs = torch.zeros(count, places + 1, device=device)
        self.lengths = torch.zeros(count, dtype=torch.long, device=device)
        self.stopped, self.ended = (torch.zeros(count, dtype=torch.bool, device=device) for _ in range(2))
        self.rows = torch.zeros(0, dtype=torch.long, device=device)
        self.last, self.starts, self.blank = self.rows, self.rows, self.rows
        self.cache: Cache | None = None
        self.waiting = self._order()
        self.untold = set(range(len(prompts)))
        self.going, self.until_look = 0, 0

    def _order(self) -> list[int]:
        """Prompts, the last first: those of like length together, unless all fit at once."""
        order = list(range(len(self.prompts)))
        if len(order) * self.size > self.most:
            order.sort(key=lambda prompt: -len(self.prompts[prompt]))
        return order[::-1]

    def run(self) -> Iterator[int]:
        """Numbers of prompts, as their completions have ended."""
        while self.waiting or len(self.rows):
            if self._may_begin():
                self._begin()
            else:
                self._decode()
            yield from self._look()

    def _may_begin(self) -> bool:
        if not self.waiting or not len(self.rows):
            return bool(self.waiting)
        worth = min(len(self.waiting) * self.size, max(self.size, self.most // _WORTH_FILLING))
        return self.refill and worth <= self.most - len(self.rows)

    def _begin(self) -> None:
        """Prefill as many waiting prompts as there is room for, and choose the first tokens of their rows."""
        count = min(len(self.waiting), (self.most - len(self.rows)) // self.size)
        begun = [self.waiting.pop() for _ in range(count)]
        ids, mask = _left_padded([self.prompts[prompt] for prompt in begun], self.model.device)
        prefilled = DynamicCache()
        logits = self.model(
            input_ids=ids,
            attention_mask=None if bool(mask.all()) else mask,
            position_ids=(mask.cumsum(1) - 1).clamp_min(0),
            past_key_values=prefilled,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        within = torch.arange(self.size, device=ids.device)
        rows = (torch.tensor(begun, device=ids.device)[:, None] * self.size + within).flatten()
        chosen = self._choose(logits.repeat_interleave(self.size, 0), rows)
        self._admit(rows, chosen, mask.sum(1).repeat_interleave(self.size), prefilled)

    def _admit(self, rows: Tensor, chosen: Tensor, starts: Tensor, prefilled: DynamicCache) -> None:
        before = self._width()
        if self.cache:
            add_rows(self.cache, prefilled, self.size)
        else:
            self.cache = growing(prefilled, self.size)
        width = self._width()
        self.going += len(rows)
        self.rows, self.last = torch.cat([self.rows, rows]), torch.cat([self.last, chosen])
        self.starts = torch.cat([self.starts, starts])  # position of each row's first new token
        self.blank = torch.cat([self.blank + width - before, width - starts])  # columns of each row before its first
        self._see(width)

    def _see(self, width: int) -> None:
        """Note which columns each row attends to: all from its first on."""
        self.padded = bool(self.blank.any())
        columns = torch.arange(width + self.request.max_new_tokens + _LOOK_EVERY, device=self.blank.device)
        self.visible = columns >= self.blank[:, None]

    def _decode(self) -> None:
        """Feed the last token of each row, and choose the next."""
        seen = self._width() + 1
        out = self.model(
            input_ids=self.last[:, None],
            # four-dimensional: transformers takes it as it is, instead of building one a token
            attention_mask=self.visible[:, None, None, :seen] if self.padded else None,
            position_ids=(self.starts + self.lengths[self.rows] - 1)[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.last = self._choose(out.logits[:, -1], self.rows)

    def _choose(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Take one token for each of the rows, `[n, V] -> [n]`, and note it."""
        place, going = self.lengths[rows], ~self.ended[rows]
        draws = self.uniforms[rows, place.clamp_max(self.request.max_new_tokens - 1)]
        chosen, logprob = choose_tokens(logits, draws, self.request.temperature)
        self.tokens[rows, place] = chosen
        self.logprobs[rows, place] = logprob
        stopped = torch.isin(chosen, self.stops) & going
        self.stopped[rows] |= stopped
        self.lengths[rows] += going
        self.ended[rows] |= stopped | (place + 1 == self.request.max_new_tokens)
        return chosen

    def _look(self) -> Iterator[int]:
        """Drop rows that have ended, if there are enough of them, and tell whose prompts are done."""
        self.until_look -= 1
        if self.until_look > 0:
            return
        self.until_look = _LOOK_EVERY_ON_CPU if self.rows.device.type == "cpu" else _LOOK_EVERY
        going = ~self.ended[self.rows]
        before, self.going = self.going, int(going.sum())
        if self.going != before:
            whole = self.ended.view(-1, self.size).all(1).nonzero().squeeze(1).tolist()
            done = sorted(self.untold.intersection(whole))
            self.untold.difference_update(done)
            yield from done
        if self.going <= len(self.rows) * (_WORTH_DROPPING - 1) // _WORTH_DROPPING:
            self._keep(going.nonzero().squeeze(1))

    def _keep(self, kept: Tensor) -> None:
        self.rows, self.last = self.rows[kept], self.last[kept]
        self.starts, self.blank = self.starts[kept], self.blank[kept]
        if self.cache and len(kept):
            first = int(self.blank.min())
            keep_rows(self.cache, kept, first)
            self.blank = self.blank - first
            self._see(self._width())
        else:
            self.cache = None

    def _width(self) -> int:
        """Columns of the cache."""
        return self.cache.get_seq_length() if self.cache else 0

    def samples(self, prompt: int) -> list[Sample]:
        """The completions of a prompt, once they have ended."""
        rows = slice(prompt * self.size, (prompt + 1) * self.size)
        columns = (self.tokens, self.logprobs, self.lengths, self.stopped)
        return [
            Sample(
                tuple(tokens[:length]),
                tuple(logprobs[:length]),
                FinishReason.STOP if stopped else FinishReason.LENGTH,
                self.request.weight_version,
            )
            for tokens, logprobs, length, stopped in zip(*(column[rows].tolist() for column in columns), strict=True)
        ]


def choose_tokens(logits: Tensor, uniforms: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Invert the distribution function of each row at its uniform number: `[n, V], [n] -> [n], [n]`.

    Returns the tokens and their log-probabilities. A token of probability 0 is never chosen. At temperature
    0 the likeliest token is, the first of them on a tie.
    """
    logprobs = (logits.float() / (temperature or 1.0)).log_softmax(-1)
    if temperature == 0:
        chosen = logprobs.argmax(-1)
    else:
        mass = logprobs.exp().cumsum(-1, dtype=torch.float64)  # float32 would blur the tail of a large vocabulary
        chosen = torch.searchsorted(mass, uniforms[:, None] * mass[:, -1:], right=True).squeeze(1)
        chosen = chosen.clamp_max(logits.shape[-1] - 1)
    return chosen, logprobs.gather(1, chosen[:, None]).squeeze(1)


def _uniforms(before: int, rows: int, request: SampleRequest) -> Tensor:
    """One number in [0, 1) for each row and place, `[rows, max_new_tokens]`, those of the rows `before` passed over."""
    seed = int.from_bytes(hashlib.sha256(request.seed.encode()).digest()[:8], "big", signed=True)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(before + rows, request.max_new_tokens, generator=generator, dtype=torch.float64)
    return drawn[before:]


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask, `[prompts, longest]`: the last token of every prompt stands in the last column."""
    longest = max(len(prompt) for prompt in prompts)
    ids = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    kept = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(kept, device=device).bool()
