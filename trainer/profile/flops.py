"""What a step has to compute, by formula: the floating-point operations of its model, whoever computes them and how.

For one pass forward over some tokens:

    2 * body * tokens + 2 * head * predicted + 4 * layers * width * pairs

with `body` the weights of all layers' matrices, `head` the vocabulary times the hidden size, `predicted` the tokens of
completions, `width` the heads times their dimension, and `pairs` how many tokens each token attends to, itself
included, summed. A multiplication and its addition are two operations. Going back costs twice as much as going forward,
but for the weights that an adapter leaves as they are: those cost once. A prompt counts once for its group, a pass that
only recomputes never, nor do norms, rotations, softmax and the optimiser: whatever is done beyond the formula lowers
utilisation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rewarders.types import FinishReason
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


def work(
    rollouts: Sequence[Rollout], advantages: Sequence[float], kept: Sequence[bool], algorithm: AlgorithmSection
) -> dict[str, float]:
    """How much was `sampled`, `compared` with other weights, and `learnt` from, as timings.jsonl names it.

    Args:
        rollouts: all of a step.
        advantages: of each; NaN where it was absent from the step.
        kept: whether its group is in the batch.
        algorithm: which decides whether rows without advantage are learnt from.
    """
    rows = zip(rollouts, advantages, kept, strict=True)
    compared = [(rollout, gain) for rollout, gain, in_batch in rows if in_batch and gain == gain]
    learnt = [rollout for rollout, gain in compared if _is_learnt(rollout, gain, algorithm)]
    parts = {"sampled": rollouts, "compared": [rollout for rollout, _ in compared], "learnt": learnt}
    return {f"{of}_{part}": amount for of, those in parts.items() for part, amount in _amounts(those).items()}


def _is_learnt(rollout: Rollout, gain: float, algorithm: AlgorithmSection) -> bool:
    if algorithm.mask_truncated and rollout.sample.finish_reason is FinishReason.LENGTH:
        return False
    return gain != 0 or algorithm.learns_without_signal


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


def texts_work(texts: Sequence[Sequence[bool]]) -> dict[str, float]:
    """The same of plain texts that were learnt from, given of each of their tokens whether it is learnt."""
    lengths = [len(text) - 1 for text in texts]
    return {
        "texts_tokens": float(sum(lengths)),
        "texts_predicted": float(sum(sum(text[1:]) for text in texts)),
        "texts_pairs": float(sum(length * (length + 1) // 2 for length in lengths)),
    }


def forward_flops(shape: Shape, amounts: Mapping[str, float], of: str) -> float:
    """One pass over what was `sampled`, `compared` or `learnt`, or over `texts`, without gradient."""
    return _of_weights(shape, amounts, of) + _of_attention(shape, amounts, of)


def training_flops(shape: Shape, amounts: Mapping[str, float], of: str, *, adapter: bool = False) -> float:
    """One pass forward and back."""
    return (2 if adapter else 3) * _of_weights(shape, amounts, of) + 3 * _of_attention(shape, amounts, of)


def _of_weights(shape: Shape, amounts: Mapping[str, float], of: str) -> float:
    return 2 * shape.body * amounts.get(f"{of}_tokens", 0.0) + 2 * shape.head * amounts.get(f"{of}_predicted", 0.0)


def _of_attention(shape: Shape, amounts: Mapping[str, float], of: str) -> float:
    return 4 * shape.layers * shape.width * amounts.get(f"{of}_pairs", 0.0)


def step_flops(
    shape: Shape,
    amounts: Mapping[str, float],
    algorithm: AlgorithmSection,
    *,
    stepped: float | None = None,
    adapter: bool = False,
) -> dict[str, float]:
    """Operations of a step: `sampling` and `learning`, which is every pass of the trainer.

    Learning is the passes of the reference and of the weights that sampled, where the algorithm compares with them,
    then forward and back once an epoch, over texts too where there are any. A critic, which has no vocabulary, goes
    forward once and then through the same epochs.

    Args:
        stepped: optimiser steps the policy took, where that is known: a target may have ended them early.
        adapter: whether the policy learns an adapter alone.
    """
    known = "compared" if "compared_tokens" in amounts else "sampled"  # runs of before
    compared = int(algorithm.beta > 0) + int(algorithm.needs_old)
    learning = compared * forward_flops(shape, amounts, known)
    learning += _epochs(algorithm, stepped) * training_flops(shape, amounts, "learnt", adapter=adapter)
    learning += training_flops(shape, amounts, "texts", adapter=adapter)
    if algorithm.name == "ppo":
        critic, epochs = replace(shape, head=0), _epochs(algorithm, stepped or None)  # it also learns while it warms up
        learning += forward_flops(critic, amounts, known) + epochs * training_flops(critic, amounts, "learnt")
    return {"sampling": forward_flops(shape, amounts, "sampled"), "learning": learning}


def _epochs(algorithm: AlgorithmSection, stepped: float | None) -> float:
    """Passes over what was learnt; a minibatch without signal, which is no step, has nothing that was."""
    if not isinstance(algorithm, Clipped):
        return 1
    counts = algorithm.target_kl is not None or algorithm.learns_without_signal
    return stepped / algorithm.minibatches if counts and stepped is not None else algorithm.epochs
