"""What is trained on and what is judged on share no prompt, and what is trained on twice is counted."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rewarders.digests import digest
from rewarders.errors import ConfigError
from rewarders.types import Message, Task
from trainer.data.reading import SourceTasks


@dataclass(frozen=True, slots=True)
class Separated:
    """Sources that share no prompt with what is held out."""

    sources: tuple[SourceTasks, ...]
    duplicates: int
    """Training tasks that ask what an earlier one asks."""
    overlapping: int
    """Training tasks that a held-out one asks too; none of them is left."""


def prompt_digest(task: Task) -> str:
    """Content address of what the policy is asked, whatever the reference and the system prompt say.

    Case, white space and Unicode's several ways to write a character do not make another question.
    """
    asked = [message for message in task.prompt if message.role not in ("system", "developer")] or task.prompt
    return digest([_normalised(message) for message in asked])


def _normalised(message: Message) -> dict[str, object]:
    text = " ".join(unicodedata.normalize("NFKC", message.content or "").casefold().split())
    return message.model_dump(mode="json", exclude_none=True) | {"content": text}


def separated(
    sources: Sequence[SourceTasks], held_out: Sequence[Task], *, drop_overlap: bool, drop_duplicates: bool
) -> Separated:
    """Compare every training prompt with the held-out ones, and with those before it.

    Raises:
        ConfigError: a held-out prompt is trained on, and is not to be dropped; the message names both tasks.
    """
    judged = {prompt_digest(task): task.id for task in held_out}
    seen: set[str] = set()
    kept: list[SourceTasks] = []
    duplicates = overlapping = 0
    for tasks in sources:
        keep = []
        for task in tasks.train:
            asked = prompt_digest(task)
            is_judged, is_again = asked in judged, asked in seen
            if is_judged and not drop_overlap:
                raise _trained_on(judged[asked], task.id)
            overlapping += is_judged
            duplicates += is_again and not is_judged
            seen.add(asked)
            keep.append(not is_judged and not (is_again and drop_duplicates))
        kept.append(tasks.only(keep))
    return Separated(tuple(kept), duplicates, overlapping)


def _trained_on(held_out: str, trained: str) -> ConfigError:
    return ConfigError(
        f"held-out task {held_out} has the prompt of training task {trained}",
        hint='drop one of them, or set data.overlap = "drop": an evaluation on trained prompts measures memory',
    )
