"""What the commands about rubrics find out: which there are, what differs, what one would pay."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from env_server.config import ServiceConfig
from env_server.isolation import load_plugins
from env_server.ledger.reader import LedgerReader
from env_server.rubric_book import RubricBook
from rewarders.errors import ConfigError, UnknownRubric
from rewarders.explaining import explain
from rewarders.rubric import Rubric, combine
from rewarders.rubric_files import load_rubric
from rewarders.types import Component, Fault, Verdict

FAULT = "fault"


def served(config: ServiceConfig) -> list[Rubric]:
    """The rubrics of a service, by name. Raises ConfigError, PluginError."""
    book = RubricBook(config.rubrics.values(), load_plugins(config).registry)
    return sorted(book.rubrics, key=lambda rubric: rubric.name)


def find(config: ServiceConfig, name: str) -> Rubric:
    """The rubric of that name, or in that file. Raises ConfigError."""
    if name.endswith(".toml"):
        return load_rubric(Path(name))
    book = RubricBook(config.rubrics.values(), load_plugins(config).registry)
    try:
        return book.get(name).rubric
    except UnknownRubric as error:
        raise ConfigError(f"there is no rubric {name!r}", hint=error.hint) from error


def recorded(config: ServiceConfig, name: str) -> Rubric:
    """The rubric that the ledger knows by that name.

    Raises:
        ConfigError: it knows none, or one of a version that had other settings.
        LedgerError: there is no ledger, or it cannot be read.
    """
    with closing(LedgerReader(config.ledger.place)) as reader:
        document = reader.rubric(name)
    if document is None:
        raise ConfigError(f"the ledger in {config.ledger.place} knows no rubric {name!r}")
    try:
        return Rubric.model_validate_json(document)
    except ValidationError as error:
        raise ConfigError(f"the ledger's rubric {name!r} has settings that this version does not know") from error


def differences(old: Rubric, new: Rubric) -> list[tuple[str, Any, Any]]:
    """Key, old and new value of everything that can change a reward; None where one of them has nothing there."""
    was, now = (dict(_flat(one.model_dump(mode="json", exclude={"name", "description"}))) for one in (old, new))
    keys = dict.fromkeys([*was, *now])
    return [(key, was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for index, one in enumerate(value):
            yield from _flat(one, f"{path}.{index}")
    else:
        yield path, value


def advice(rubric: Rubric) -> list[str]:
    """What is allowed, and may not be meant."""
    costly = [part for part in rubric.parts if not part.inverted and part.is_penalty]
    lifting = [part for part in rubric.parts if part.gate and part.settles_at > rubric.lowest]
    return [
        f"{part.rewarder} costs most where its score is 1; if 1 is good there, give it inverted = true"
        for part in costly
    ] + [
        f"closing gate {part.rewarder} pays {part.settles_at:g}, and penalties can bring an answer down to "
        f"{rubric.lowest:g}: giving settles_at = {rubric.lowest:g} makes the closed gate the worst"
        for part in lifting
    ]


def imagined(rubric: Rubric, scores: Sequence[str], step: int | None) -> dict[str, Any]:
    """Reward, contributions and explanation for scores that somebody thought of. Raises ConfigError."""
    if len(scores) != len(rubric.parts):
        names = ", ".join(part.rewarder for part in rubric.parts)
        raise ConfigError(f"{len(scores)} scores are given, and {rubric.name} has {len(rubric.parts)} parts: {names}")
    components = [_component(part.rewarder, score) for part, score in zip(rubric.parts, scores, strict=True)]
    reward, scored = combine(rubric, components, step)
    return {
        "reward": reward,
        "contributions": [one.contribution for one in scored],
        "explanation": explain(rubric, scored, reward),
    }


def _component(rewarder: str, score: str) -> Component:
    fault = Fault(kind="RewarderFault", message="imagined") if score == FAULT else None
    try:
        verdict = None if fault else Verdict(score=float(score), reason="imagined")
    except ValueError as error:
        raise ConfigError(f"{score!r:.40} is no score: give a number from 0 to 1, or `{FAULT}`") from error
    return Component(rewarder=rewarder, version="0", distribution="imagined", verdict=verdict, fault=fault)
