"""What a step has to compute, by formula: the floating-point operations of its model, whoever computes them and how.

For one pass forward over some tokens:

    2 * body * tokens + 2 * head * predicted + 4 * layers * width * pairs

with `body` the weights of all layers' matrices, `head` the vocabulary times the hidden size, `predicted` the tokens of
completions, `width` the heads times their dimension, and `pairs` how many tokens each token attends to, itself
included, summed. A multiplication and its addition are two operations. Going back costs twice as much as going forward.
A prompt counts once for its group, a pass that only recomputes never, nor do norms, rotations, softmax and the
optimiser: so that whoever does more work than this for the same step has a lower utilisation, not a higher one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.algorithms import AlgorithmSection, Clipped
from trainer.rollouts import Rollout


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model its operations follow from. A mixture of experts is counted as if all of them were at work."""

    body: int
    head: int
    layers: int
    width: int


def shape_of(model: Any) -> Shape:
    """The shape of a transformers model; one on the `meta` device, without weights, does."""
    config, embedding = model.config, model.get_input_embeddings().weight
    body = sum(p.numel() for p in model.get_decoder().parameters() if p.ndim > 1) - embedding.numel()
    heads = config.num_attention_heads
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    return Shape(body, embedding.numel(), config.num_hidden_layers, width)


def work(rollouts: Sequence[Rollout], advantages: Sequence[float]) -> dict[str, float]:
    """How much was sampled and how much of it was learnt from, as timings.jsonl names it.

    Args:
        rollouts: all of a step.
        advantages: of each; one that is 0 or NaN was not learnt from.
    """
    learnt = [rollout for rollout, gain in zip(rollouts, advantages, strict=True) if gain == gain and gain != 0]
    return {
        f"{name}_{part}": amount
        for name, rows in (("sampled", rollouts), ("learnt", learnt))
        for part, amount in _amounts(rows).items()
    }


def _amounts(rollouts: Sequence[Rollout]) -> dict[str, float]:
    prompts = {rollout.group: len(rollout.prompt) for rollout in rollouts}
    lengths = [(len(rollout.prompt), len(rollout.sample.tokens)) for rollout in rollouts]
    predicted = sum(length for _, length in lengths)
    shared = sum(prompt * (prompt + 1) // 2 for prompt in prompts.values())
    own = sum(length * prompt + length * (length + 1) // 2 for prompt, length in lengths)
    return {
        "tokens": float(sum(prompts.values()) + predicted),
        "predicted": float(predicted),
        "pairs": float(shared + own),
    }


def forward_flops(shape: Shape, amounts: Mapping[str, float], of: str) -> float:
    """One pass over what was `sampled` or `learnt`, without gradient."""
    tokens, predicted, pairs = (amounts[f"{of}_{part}"] for part in ("tokens", "predicted", "pairs"))
    return 2 * shape.body * tokens + 2 * shape.head * predicted + 4 * shape.layers * shape.width * pairs


def step_flops(shape: Shape, amounts: Mapping[str, float], algorithm: AlgorithmSection) -> dict[str, float]:
    """Operations of a step: `sampling` and `learning`, which is every pass of the trainer.

    Learning is the passes of the reference and of the weights that sampled, where the algorithm compares with them,
    then forward and back once an epoch. A critic doubles all of it.
    """
    several = isinstance(algorithm, Clipped) and algorithm.epochs * algorithm.minibatches > 1
    compared = int(algorithm.beta > 0) + int(several)
    epochs = algorithm.epochs if isinstance(algorithm, Clipped) else 1
    sampled, learnt = (forward_flops(shape, amounts, of) for of in ("sampled", "learnt"))
    models = 2 if algorithm.name == "ppo" else 1
    return {"sampling": sampled, "learning": models * (compared * sampled + 3 * epochs * learnt)}
