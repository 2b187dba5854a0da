"""Refuse a model that would be trained on other numbers than it is sampled with.

The step shares a prompt's keys and values between its completions, computes logits of completion tokens alone, and
hands attention its own masks. A model that reads such masks otherwise, forgets early tokens, or changes its logits
after the output embedding gives wrong gradients, and nothing would ever say so.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rewarders.errors import ConfigError
from trainer.logprobs import completion_hidden
from trainer.rollouts import Batch

_PROMPTS = ((1, 2, 3, 4, 5, 6, 7), (8, 9, 10))
_COMPLETIONS = ((3, 1, 4, 1, 5), (9, 2, 6))
_TOLERANCE = 1e-3
_MOVING = ("dynamic", "longrope")


def refuse_unsupported(model: Any, source: str) -> None:
    """Compare the step's logits with those of a plain forward pass, on two prompts of different lengths.

    Raises:
        ConfigError: naming what the model does.
    """
    _refuse(model, source, "logits", lambda: _gap_of_logits(model))


def refuse_unsupported_critic(model: Any, source: str) -> None:
    """The same for the values of a critic. Raises ConfigError."""
    _refuse(model, source, "values", lambda: _gap_of_values(model))


@torch.inference_mode()
def _refuse(model: Any, source: str, what: str, largest_gap: Callable[[], Tensor]) -> None:
    refuse_partial_attention(model, source)
    _refuse_moving_positions(model, source)
    try:
        gap = largest_gap().abs().max().item()
    except (ValueError, TypeError, IndexError, AttributeError, NotImplementedError) as error:
        raise ConfigError(f"{source} cannot be trained here: {str(error)[:200]}") from error
    coarse = 1.0 if model.dtype == torch.float32 else 100.0  # bfloat16 rounds where the order of sums differs
    if not gap <= _TOLERANCE * coarse:
        raise ConfigError(
            f"{source} gives other {what} when its prompts are padded and shared, so its gradients would be wrong",
            hint="use a model with scaled-dot-product attention and full attention in every layer",
        )


def refuse_partial_attention(model: Any, source: str) -> None:
    """Raise ConfigError for a model whose layers do not see everything that came before."""
    kinds = set(getattr(model.config, "layer_types", None) or ()) - {"full_attention"}
    window = getattr(model.config, "sliding_window", None)
    if not kinds and window and getattr(model.config, "use_sliding_window", True):
        kinds = {f"a sliding window of {window} tokens"}
    if kinds:
        raise ConfigError(f"{source} has layers without full attention: {', '.join(sorted(kinds))}")


def _refuse_moving_positions(model: Any, source: str) -> None:
    """Raise ConfigError for positions that mean something else in a longer sequence: then a token's log-probability
    would depend on what stands after it, and on what is computed beside it."""
    said = getattr(model.config, "rope_parameters", None) or getattr(model.config, "rope_scaling", None) or {}
    kinds = {each.get("rope_type") for each in (said, *said.values()) if isinstance(each, Mapping)}
    moving = sorted(kind for kind in kinds if kind in _MOVING)
    if moving:
        raise ConfigError(
            f"{source} has rotary positions of type {', '.join(moving)}, which change with the length of a sequence",
            hint="use a model with another type, such as yarn or llama3, or without scaling",
        )


def _gap_of_logits(model: Any) -> Tensor:
    """Differences of log-probabilities, in nats."""
    logits = model.get_output_embeddings()(completion_hidden(model.get_decoder(), _probe(model)))
    plain = _plain(model, lambda ids: model(input_ids=ids).logits)
    return logits.float().log_softmax(-1) - plain.float().log_softmax(-1)


def _gap_of_values(model: Any) -> Tensor:
    """Differences of values, relative to the largest where that is above 1."""
    values = model.score(completion_hidden(model.base_model, _probe(model)))
    plain = _plain(model, lambda ids: model.score(model.base_model(input_ids=ids).last_hidden_state))
    return (values.float() - plain.float()) / plain.float().abs().max().clamp(min=1.0)


def _probe(model: Any) -> Batch:
    prompts, completions = _ids(model, _PROMPTS), _ids(model, _COMPLETIONS)
    longest = max(map(len, prompts))
    left = [[0] * (longest - len(prompt)) + prompt for prompt in prompts]
    right = [ids + [0] * (len(completions[0]) - len(ids)) for ids in completions]
    count = len(prompts)
    return Batch(
        prompts=torch.tensor(left, device=model.device),
        prompt_length=torch.tensor([len(prompt) for prompt in prompts], device=model.device),
        tokens=torch.tensor(right, device=model.device),
        length=torch.tensor([len(ids) for ids in completions], device=model.device),
        sampler_logp=torch.zeros(count, len(right[0]), device=model.device),
        truncated=torch.zeros(count, dtype=torch.bool, device=model.device),
        reward=torch.zeros(count, dtype=torch.float64, device=model.device),
        group=torch.arange(count, device=model.device),
        parts=torch.zeros(count, 0, dtype=torch.float64, device=model.device),
        part_weights=torch.zeros(count, 0, dtype=torch.float64, device=model.device),
    )


def _plain(model: Any, of_tokens: Callable[[Tensor], Tensor]) -> Tensor:
    """What an ordinary pass over each text says before each token of its completion."""
    found = []
    for prompt, completion in zip(_PROMPTS, _COMPLETIONS, strict=True):
        ids = torch.tensor(_ids(model, (prompt + completion,)), device=model.device)
        found.append(of_tokens(ids)[0, len(prompt) - 1 : -1])
    return torch.cat(found)


def _ids(model: Any, rows: tuple[tuple[int, ...], ...]) -> list[list[int]]:
    return [[token % model.config.vocab_size for token in row] for row in rows]
