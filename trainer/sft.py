"""Supervised fine-tuning on what the assistant says: the mean over all learnt tokens of a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from rewarders.errors import ConfigError
from trainer.chat import learnt_spans
from trainer.config import SftConfig
from trainer.data import Conversation, indices_for_step, read_rows
from trainer.export import model_directory
from trainer.logprobs import token_logprobs
from trainer.models import load_policy, use_threads
from trainer.optim import build_optimizer, descend, set_learning_rate


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one conversation, and which of them are learnt."""

    ids: list[int]
    learnt: list[bool]


def fine_tune(config: SftConfig, console: Console) -> dict[str, float]:
    """Fine-tune the model and write it to `sft.out`; returns the first and the last loss in nats per token.

    Raises:
        ConfigError: a conversation cannot be used; the message names its line.
        NonFiniteLoss: before the optimiser has moved on it.
    """
    use_threads(config.sft.threads)
    with model_directory(config.sft.out) as out:
        policy = load_policy(config.model)
        examples = load_examples(
            config.data.conversations, policy.tokenizer, policy.stop_ids, config.sft.max_tokens, "sft.max_tokens"
        )
        optimizer = build_optimizer(policy.model, config.optim)
        losses: list[float] = []
        for step in range(1, config.sft.steps + 1):
            rows = indices_for_step(len(examples), seed=config.sft.seed, step=step - 1, count=config.sft.batch)
            set_learning_rate(optimizer, config.optim, step)
            losses.append(sft_step(policy.model, optimizer, [examples[row] for row in rows], config))
            if step % max(1, config.sft.steps // 20) == 0:
                console.print(f"sft {step}/{config.sft.steps}  loss {losses[-1]:.4f}", highlight=False)
        policy.model.save_pretrained(out)
        policy.tokenizer.save_pretrained(out)
    return {"steps": float(len(losses)), "first_loss": losses[0], "last_loss": losses[-1]}


def load_examples(
    path: Path, tokenizer: Any, stop_ids: Sequence[int], max_tokens: int, limit_name: str
) -> list[Example]:
    """Tokenise the conversations at `path`; `limit_name` is how errors call `max_tokens`. Raises ConfigError, as
    `fine_tune`."""
    examples = []
    for number, row in enumerate(read_rows(path, Conversation), 1):
        ids, learnt = learnt_spans(tokenizer, row.messages, stop_ids)
        if len(ids) > max_tokens:
            raise ConfigError(f"{path}, row {number}: {len(ids)} tokens, over {limit_name} = {max_tokens}")
        if not any(learnt[1:]):
            raise ConfigError(f"{path}, row {number}: the assistant says nothing in it")
        examples.append(Example(ids, learnt))
    if not examples:
        raise ConfigError(f"data.conversations = {path} is empty")
    return examples


def sft_step(model: Any, optimizer: torch.optim.Optimizer, examples: Sequence[Example], config: SftConfig) -> float:
    """One optimiser step; returns its loss. Micro-batches share one denominator, whatever their size."""
    learnt = sum(sum(example.learnt[1:]) for example in examples)
    ordered = sorted(examples, key=lambda example: len(example.ids))
    size = config.optim.micro_batch
    parts = (negative_logp(model, ordered[start : start + size]) / learnt for start in range(0, len(ordered), size))
    loss, _ = descend(model, optimizer, parts, config.optim.max_grad_norm)
    return loss


def negative_logp(model: Any, examples: Sequence[Example]) -> Tensor:
    """Minus the log-probability of what is learnt, summed. Padding is on the right, where attention never looks."""
    ids = _right_padded([example.ids for example in examples], model.device)
    learnt = _right_padded([example.learnt for example in examples], model.device).bool()[:, 1:]
    hidden = model.get_decoder()(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    return -token_logprobs(model.get_output_embeddings()(hidden[learnt]), ids[:, 1:][learnt], 1.0).sum()


def _right_padded(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
