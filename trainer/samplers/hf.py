"""Sampling with the very model that is trained: one prefill a prompt, an in-place cache, our own decode loop.

The draws of a row are fixed before decoding starts, one uniform number a token, so which rows have
finished, and how many rows are decoded together, changes nothing about what a row samples.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from rewarders.types import FinishReason
from trainer.samplers import Sample, SampleRequest
from trainer.samplers.kv_cache import expand, keep_rows

_WORTH_DROPPING = 8
"""Finished rows are dropped once they are an eighth of the rows: sooner costs more copying than it saves."""


class HfSampler:
    """Samples from a transformers model that lives in this process; its weights are always the newest."""

    def __init__(self, model: Any, *, stop_ids: Sequence[int], rows_at_once: int = 512) -> None:
        self.model = model
        self.stops = torch.tensor(list(stop_ids), device=model.device)
        self.rows_at_once = rows_at_once

    @torch.inference_mode()
    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> list[list[Sample]]:
        """`group_size` completions of each prompt, in the order of the prompts."""
        size = request.group_size
        uniforms = _uniforms(len(prompts) * size, request).to(self.model.device)
        per_chunk = max(1, self.rows_at_once // size)
        samples: list[Sample] = []
        for start in range(0, len(prompts), per_chunk):
            chunk = prompts[start : start + per_chunk]
            draws = uniforms[start * size : (start + len(chunk)) * size]
            samples += _Decoding(self.model, self.stops, chunk, draws, request).run()
        return [samples[start : start + size] for start in range(0, len(samples), size)]

    def take_weights(self, model: Any, version: str) -> None:
        """Nothing to do: the weights are the model's own."""

    def close(self) -> None:
        """Nothing to do."""


class _Decoding:
    """Prompts completed together: N = prompts x group_size rows, of which `rows` are still decoded."""

    def __init__(
        self,
        model: Any,
        stops: Tensor,
        prompts: Sequence[Sequence[int]],
        uniforms: Tensor,
        request: SampleRequest,
    ) -> None:
        self.model, self.stops, self.prompts = model, stops, prompts
        self.uniforms, self.request = uniforms, request  # [N, max_new_tokens]
        count = len(prompts) * request.group_size
        self.tokens = torch.zeros(count, request.max_new_tokens, dtype=torch.long, device=model.device)
        self.logprobs = torch.zeros(count, request.max_new_tokens, device=model.device)
        self.lengths = torch.full((count,), request.max_new_tokens, device=model.device)
        self.stopped = torch.zeros(count, dtype=torch.bool, device=model.device)
        self.rows = torch.arange(count, device=model.device)

    def run(self) -> list[Sample]:
        logits, cache = self._prefill()
        for place in range(self.request.max_new_tokens):
            chosen = self._choose(logits, place)
            if place + 1 == self.request.max_new_tokens or bool(self.stopped[self.rows].all()):
                break
            chosen = self._drop_finished(chosen, cache)
            logits = self._decode(chosen, place, cache)
        return self._samples()

    def _prefill(self) -> tuple[Tensor, Cache]:
        """Logits after each prompt, one row a completion `[N, V]`, and the cache of all rows."""
        ids, mask = _left_padded(self.prompts, self.model.device)
        positions = (mask.cumsum(1) - 1).clamp_min(0)
        cache = DynamicCache()
        out = self.model(
            input_ids=ids,
            attention_mask=None if bool(mask.all()) else mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        size, room = self.request.group_size, self.request.max_new_tokens
        self.starts = mask.sum(1).repeat_interleave(size)  # [N] position of each row's first new token
        self.visible = torch.nn.functional.pad(mask, (0, room), value=True).repeat_interleave(size, 0)
        self.prompt_width, self.padded = mask.shape[1], not bool(mask.all())
        return out.logits[:, -1].repeat_interleave(size, 0), expand(cache, size, room)

    def _choose(self, logits: Tensor, place: int) -> Tensor:
        """Take one token for each row still going, `[rows, V] -> [rows]`, and note it."""
        draws = self.uniforms[self.rows, place]
        chosen, logprob = choose_tokens(logits, draws, self.request.temperature)
        self.tokens[self.rows, place] = chosen
        self.logprobs[self.rows, place] = logprob
        ended = torch.isin(chosen, self.stops) & ~self.stopped[self.rows]
        self.lengths[self.rows[ended]] = place + 1
        self.stopped[self.rows[ended]] = True
        return chosen

    def _drop_finished(self, chosen: Tensor, cache: Cache) -> Tensor:
        going = ~self.stopped[self.rows]
        if int(going.sum()) > len(self.rows) * (_WORTH_DROPPING - 1) // _WORTH_DROPPING:
            return chosen
        kept = going.nonzero().squeeze(1)
        keep_rows(cache, kept)
        self.rows, self.visible = self.rows[kept], self.visible[kept]
        return chosen[kept]

    def _decode(self, chosen: Tensor, place: int, cache: Cache) -> Tensor:
        """Logits after one more token in each row, `[rows] -> [rows, V]`."""
        seen = self.prompt_width + place + 1
        out = self.model(
            input_ids=chosen[:, None],
            # four-dimensional: transformers takes it as it is, instead of building one a token
            attention_mask=self.visible[:, None, None, :seen] if self.padded else None,
            position_ids=(self.starts[self.rows] + place)[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        logits: Tensor = out.logits[:, -1]
        return logits

    def _samples(self) -> list[Sample]:
        version = self.request.weight_version
        rows = zip(
            self.tokens.tolist(),
            self.logprobs.tolist(),
            self.lengths.tolist(),
            self.stopped.tolist(),
            strict=True,
        )
        return [
            Sample(
                tuple(tokens[:length]),
                tuple(logprobs[:length]),
                FinishReason.STOP if stopped else FinishReason.LENGTH,
                version,
            )
            for tokens, logprobs, length, stopped in rows
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


def _uniforms(rows: int, request: SampleRequest) -> Tensor:
    """One number in [0, 1) for each row and place, `[rows, max_new_tokens]`."""
    seed = int.from_bytes(hashlib.sha256(request.seed.encode()).digest()[:8], "big", signed=True)
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, request.max_new_tokens, generator=generator, dtype=torch.float64)


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask, `[prompts, longest]`: the last token of every prompt stands in the last column."""
    longest = max(len(prompt) for prompt in prompts)
    ids = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    kept = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(kept, device=device).bool()
