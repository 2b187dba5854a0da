"""Tasks that reasoning-gym makes up. Alone to import `reasoning_gym`."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from rewarders.errors import ConfigError
from rewarders.types import Message, Task
from trainer.data.section import GymSource
from trainer.extras import optional


def gym_entries(source: GymSource) -> Iterator[dict[str, Any]]:
    """The entries of the data set, each as JSON: what was a tuple is a list.

    Raises:
        ConfigError: there is no such data set, or it does not take these options.
    """
    library = optional("reasoning_gym", "reasoning-gym")
    named = f"data source {source.name}: reasoning-gym's {source.dataset}"
    try:
        made = library.create_dataset(source.dataset, size=source.size, seed=source.seed, **source.options)
    except (ValueError, TypeError, AssertionError) as error:  # it checks options with `assert`
        raise ConfigError(f"{named}: {error}", hint="reasoning_gym.factory.DATASETS has the names") from error
    for number in range(source.size):
        try:
            yield json.loads(json.dumps(made[number]))
        except TypeError as error:
            raise ConfigError(f"{named}, row {number}: cannot be sent to the reward service: {error}") from error


def gym_task(source: GymSource, entry: dict[str, Any], number: int) -> Task:
    """The task of entry `number`. Raises ConfigError where its answer is asked for, and it has none."""
    system = (Message(role="system", content=source.system),) if source.system else ()
    if source.reference == "answer" and not isinstance(entry["answer"], str):
        raise ConfigError(
            f"data source {source.name}, row {number}: {source.dataset} has no single answer",
            hint='set reference = "entry", with a rubric that asks reasoning-gym',
        )
    whole: JsonValue = {"dataset": source.dataset, "entry": entry}
    return Task(
        id=f"{source.name}/{number}",
        prompt=(*system, Message(role="user", content=entry["question"])),
        rubric=source.rubric,
        reference=whole if source.reference == "entry" else {"answer": entry["answer"]},
        source=source.name,
        split="train",
    )
