"""Before the first step: do sampler and trainer mean the same by a probability? If not, why?

A few of the run's own prompts are completed, and every token is scored again by the trainer. Where the two disagree,
the ratio that training is built on is wrong from the start, and learning fails slowly and for no visible reason. So
the known causes are tried in turn: under the right one, the numbers agree.
"""

import copy
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rewarders.errors import TrainingError
from rewarders.types import Task
from trainer.config import TrainConfig
from trainer.distributed.leading import led
from trainer.distributed.sharding import is_sharded
from trainer.drawing import draw
from trainer.logprobs import batch_logprobs
from trainer.models import Policy
from trainer.packing import Cut
from trainer.rollouts import Rollout, pack
from trainer.samplers import Sampler, SampleRequest
from trainer.samplers.building import sampler_dtype

_MOST_TOKENS = 64
"""Of each completion: a cause shows in the first tokens."""
_EXPLAINS = 5.0
"""A cause is named if it makes the difference that many times smaller, should it not vanish."""
_ALIKE = 3.0
"""Two ways to round differ by as much as either does from the exact value, within this factor."""


class SamplerDisagrees(TrainingError):
    """The sampler's log-probabilities are not the trainer's."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Differences of a token's log-probability, in nats, between sampler and trainer."""

    mean: float
    """Of their sizes."""
    largest: float
    tokens: int


def check_parity(
    config: TrainConfig,
    policy: Policy,
    sampler: Sampler,
    tasks: Sequence[Task],
    version: str,
    other_weights: Mapping[str, Callable[[], Any]] | None = None,
) -> Parity:
    """Compare sampler and trainer on `sampler.parity_prompts` of the tasks; the run's own draws stay as they are.

    Args:
        config: of the run.
        policy: what is trained.
        sampler: it has the policy's weights.
        tasks: to choose from; which is a matter of `run.seed` alone.
        version: name of the weights.
        other_weights: models the sampler may hold by mistake, by what to call them; loaded if it comes to that.

    Raises:
        SamplerDisagrees: naming the likeliest cause.
    """
    chosen = random.Random(f"{config.run.seed}/parity").sample(
        range(len(tasks)), min(config.sampler.parity_prompts, len(tasks))
    )
    request = SampleRequest(
        group_size=1,
        max_new_tokens=min(config.sampling.max_new_tokens, _MOST_TOKENS),
        temperature=config.sampling.temperature,
        seed=f"{config.run.seed}/parity",
        weight_version=version,
    )
    drawn = [tasks[index] for index in chosen]
    rollouts = led(lambda: draw(policy, sampler, drawn, request, max_prompt_tokens=config.sampling.max_prompt_tokens))
    comparison = _Comparison(policy, rollouts, request.temperature, Cut.of(config.optim))
    found = comparison.parity()
    bound = config.sampler.parity_bound(sampler_dtype(config), request.temperature)
    if not found.mean <= bound:
        raise SamplerDisagrees(
            f"the sampler's log-probabilities differ from the trainer's by {found.mean:.2g} on average and "
            f"{found.largest:.2g} at most, over {found.tokens} tokens; "
            f"{bound:.3g} is allowed: " + comparison.cause(other_weights or {}),
            hint="docs/samplers.md says how a server has to be started; see [sampler] for the bounds",
        )
    return found


class _Comparison:
    """Completions, and what the trainer makes of them under one assumption or another."""

    def __init__(self, policy: Policy, rollouts: Sequence[Rollout], temperature: float, cut: Cut) -> None:
        self._policy, self._rollouts = policy, rollouts
        self._temperature, self._cut = temperature, cut
        self._told = torch.cat([torch.tensor(rollout.sample.logprobs) for rollout in rollouts]).double()
        vocabulary = policy.model.config.vocab_size
        self._strange = max(max(rollout.sample.tokens) for rollout in rollouts) >= vocabulary

    def parity(self) -> Parity:
        """As things are assumed to be; infinite where a token is none of the policy's."""
        if self._strange:
            return Parity(math.inf, math.inf, len(self._told))
        size = (self._told - self._scored()).abs()
        return Parity(size.mean().item(), size.max().item(), len(size))

    def cause(self, other_weights: Mapping[str, Callable[[], Any]]) -> str:
        """A sentence on what explains the difference best."""
        if self._strange:
            return "it writes tokens that the policy does not have; is it another model, or another tokenizer?"
        if not bool(self._told.isfinite().all()):
            return "some of the sampler's are not finite; it overflows, or its weights are broken"
        now = self._told - self._scored()
        left = {why: (self._told - scored).abs().mean().item() for why, scored in self._assumptions(other_weights)}
        best = min(left, key=lambda why: left[why], default="")
        if best and left[best] * _EXPLAINS <= now.abs().mean().item():
            return f"{best} (assuming that, {left[best]:.2g} is left)"
        if bool((now >= -0.05 * now.max()).all()):
            return (
                "it makes every token likelier than it is, as with top_p, top_k or min_p at the server: these "
                "renormalise over what is left of the vocabulary"
            )
        if is_sharded(self._policy.model):
            return "none of the causes that can be tried on a sharded model explains it"
        rounding = self._scored() - self._scored(model=_in_other_precision(self._policy.model))
        if now.abs().mean() <= _ALIKE * rounding.abs().mean():
            return "the difference is of the size that rounding to bfloat16 makes; does one of the two compute in it?"
        return "no known cause explains it; is it the same model, and does vLLM implement it as transformers does?"

    def _assumptions(self, other_weights: Mapping[str, Callable[[], Any]]) -> Iterator[tuple[str, Tensor]]:
        """Each known cause, and the log-probabilities under it."""
        if self._temperature != 1.0:
            plain = self._scored(temperature=1.0)
            drawn_at_it = bool((self._scored() - plain).sum() > 0)  # the tokens are likelier under what drew them
            yield (
                (
                    "it reports raw log-probabilities, before the temperature; start vLLM with "
                    "--logprobs-mode processed_logprobs"
                    if drawn_at_it
                    else f"it does not apply the temperature of {self._temperature:g}"
                ),
                plain,
            )
        for name, load in other_weights.items():
            yield f"its weights are stale: they are those of {name}", self._scored(model=load())
        start = self._policy.tokenizer.bos_token_id
        if start is not None:
            longer = [replace(rollout, prompt=(start, *rollout.prompt)) for rollout in self._rollouts]
            yield "it puts a beginning-of-sequence token before every prompt", self._scored(rollouts=longer)

    def _scored(
        self, *, model: Any = None, rollouts: Sequence[Rollout] = (), temperature: float | None = None
    ) -> Tensor:
        """The trainer's log-probabilities of all tokens in a row."""
        batch = pack(rollouts or self._rollouts, [None] * len(self._rollouts), self._policy.device)
        logp = batch_logprobs(
            model if model is not None else self._policy.model,
            batch,
            temperature=temperature or self._temperature,
            cut=self._cut,
        )
        return logp[batch.mask].cpu().double()


def _in_other_precision(model: Any) -> Any:
    """A bfloat16 copy of a float32 model, or the other way round; buffers stay as they are, as in a model loaded so."""
    other = torch.float32 if model.dtype == torch.bfloat16 else torch.bfloat16
    changed = copy.deepcopy(model)
    for parameter in changed.parameters():
        parameter.data = parameter.data.to(other)
    return changed
