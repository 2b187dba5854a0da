"""Supervised fine-tuning on what the assistant says: the mean over all learnt tokens of a step."""

from collections.abc import Iterator, Sequence
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
from trainer.distributed.sharding import within
from trainer.export import model_directory
from trainer.logprobs import predicting_hidden, token_stats
from trainer.masters import exact_state
from trainer.models import load_policy, use_threads
from trainer.optim import build_optimizer, descend, set_learning_rate
from trainer.packed import packed_texts
from trainer.packing import Cut
from trainer.stopwatch import Phase, phase


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
        optimizer = build_optimizer(policy.model, config.optim, config.model.compute)
        losses: list[float] = []
        for step in range(1, config.sft.steps + 1):
            rows = indices_for_step(len(examples), seed=config.sft.seed, step=step - 1, count=config.sft.batch)
            set_learning_rate(optimizer, config.optim, step)
            losses.append(sft_step(policy.model, optimizer, [examples[row] for row in rows], config))
            if step % max(1, config.sft.steps // 20) == 0:
                console.print(f"sft {step}/{config.sft.steps}  loss {losses[-1]:.4f}", highlight=False)
        policy.model.save_pretrained(out, state_dict=exact_state(policy.model, optimizer))
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
    """One optimiser step; returns its loss."""
    cut = Cut.of(config.optim)
    loss, _ = descend(model, optimizer, text_losses(model, examples, cut), config.optim.max_grad_norm)
    return loss


def text_losses(model: Any, examples: Sequence[Example], cut: Cut) -> Iterator[Tensor]:
    """The parts of the mean over all learnt tokens; they share one denominator, whatever their size."""
    learnt = sum(sum(example.learnt[1:]) for example in examples)
    for index in cut.share_of_texts([len(example.ids) - 1 for example in examples]):
        yield -learnt_logprobs(model, [examples[row] for row in index.tolist()]).sum() / learnt


def learnt_logprobs(model: Any, examples: Sequence[Example]) -> Tensor:
    """Log-probability of each learnt token, one text after the other."""
    with phase(Phase.LOG_PROBS):
        found: Tensor = within(model, _learnt_logprobs, examples)
    return found


def _learnt_logprobs(model: Any, examples: Sequence[Example]) -> Tensor:
    row, tokens = packed_texts([(example.ids, example.learnt) for example in examples], model.device)
    hidden = predicting_hidden(model.get_decoder(), row)
    return token_stats(model.get_output_embeddings(), hidden, tokens, 1.0).logp
