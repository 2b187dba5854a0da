"""Refuse a model that would be trained on other numbers than it is sampled with.

The step shares a prompt's keys and values between its completions, computes logits of completion tokens alone, and
hands attention its own masks. A model that reads such masks otherwise, forgets early tokens, or changes its logits
after the output embedding gives wrong gradients, and nothing would ever say so.
"""

from typing import Any

import torch

from rewarders.errors import ConfigError
from trainer.logprobs import completion_hidden
from trainer.rollouts import Batch

_PROMPTS = ((1, 2, 3, 4, 5, 6, 7), (8, 9, 10))
_COMPLETIONS = ((3, 1, 4, 1, 5), (9, 2, 6))
_TOLERANCE = 1e-3


def refuse_unsupported(model: Any, source: str) -> None:
    """Compare the step's logits with those of a plain forward pass, on two prompts of different lengths.

    Raises:
        ConfigError: naming what the model does.
    """
    refuse_partial_attention(model, source)
    if _largest_gap(model, source) > _TOLERANCE:
        raise ConfigError(
            f"{source} gives other logits when its prompts are padded and shared, so its gradients would be wrong",
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


@torch.inference_mode()
def _largest_gap(model: Any, source: str) -> float:
    """Largest difference of log-probabilities, in nats, relative to the precision of the weights."""
    try:
        logits = model.get_output_embeddings()(completion_hidden(model.get_decoder(), _probe(model)))
        plain = torch.cat([_plain_logits(model, *pair) for pair in zip(_PROMPTS, _COMPLETIONS, strict=True)])
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise ConfigError(f"{source} cannot be trained here: {str(error)[:200]}") from error
    gap = (logits.float().log_softmax(-1) - plain.float().log_softmax(-1)).abs().max().item()
    return gap if model.dtype == torch.float32 else gap / 100  # bfloat16 rounds where the order of sums differs


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


def _plain_logits(model: Any, prompt: tuple[int, ...], completion: tuple[int, ...]) -> torch.Tensor:
    (ids,) = _ids(model, (prompt + completion,))
    logits: torch.Tensor = model(input_ids=torch.tensor([ids], device=model.device)).logits
    return logits[0, len(prompt) - 1 : -1]


def _ids(model: Any, rows: tuple[tuple[int, ...], ...]) -> list[list[int]]:
    return [[token % model.config.vocab_size for token in row] for row in rows]
