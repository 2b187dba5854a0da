"""PPO-ptx: some plain language modelling beside the rewards, so that what the model knew is not forgotten
(InstructGPT, arXiv 2203.02155, eq. 2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rewarders.digests import digest
from rewarders.errors import ConfigError
from trainer.config import PretrainingSection
from trainer.data import Conversation, indices_for_step, read_rows
from trainer.packing import Cut
from trainer.sft import Example, load_examples, text_losses


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Texts, and how much they weigh beside the rewards."""

    examples: Sequence[Example]
    settings: PretrainingSection
    seed: int

    def losses(self, model: Any, update: int, cut: Cut) -> Iterator[Tensor]:
        """The parts of the loss of optimiser step `update`: weight times the mean over the learnt tokens of its rows.

        Divided by its own tokens and not by those of the rollouts, so that neither stream thins the other.
        """
        for loss in text_losses(model, self.texts(update), cut):
            yield self.settings.weight * loss

    def texts(self, update: int) -> list[Example]:
        """What optimiser step `update` learns beside the rewards."""
        rows = indices_for_step(len(self.examples), seed=self.seed, step=update, count=self.settings.batch)
        return [self.examples[row] for row in rows]


def pretraining_digest(settings: PretrainingSection) -> dict[str, str]:
    """What stands for the texts among all that decides a run's weights. Raises ConfigError for no such file."""
    if settings.conversations is None:
        return {}
    return {
        "ptx.conversations": digest(
            [row.model_dump(mode="json") for row in read_rows(settings.conversations, Conversation)]
        )
    }


def load_pretraining(
    settings: PretrainingSection, tokenizer: Any, stop_ids: Sequence[int], seed: int
) -> Pretraining | None:
    """Tokenise the texts; None where there are none. Raises ConfigError naming the row that cannot be used."""
    if settings.conversations is None:
        return None
    examples = load_examples(settings.conversations, tokenizer, stop_ids, settings.max_tokens, "ptx.max_tokens")
    if settings.batch > len(examples):
        raise ConfigError(
            f"ptx.batch = {settings.batch}, and {settings.conversations} has {len(examples)} rows",
            hint="lower ptx.batch, or give more rows",
        )
    return Pretraining(examples, settings, seed)
