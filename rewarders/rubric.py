"""From verdicts to one number. `combine()` is pure; everything a dispute could be about is in this file.

1. A gate that is closed (its score, after its threshold, is 0) settles the reward at 0, whatever else broke.
2. Otherwise a fault in a gate or in a paid part leaves the completion unscored.
3. Otherwise the reward is the weighted mean, or the weighted sum, of the paid parts.

A part with weight 0 that is no gate is observed: recorded, never paid, and its fault changes nothing. So is a part
whose component says why it only observes, whatever the rubric says; where that leaves nothing to be paid, the
completion is unscored.
"""

import math
import tomllib
from collections.abc import Sequence
from functools import cached_property, reduce
from importlib import resources
from operator import add
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from rewarders.digests import digest
from rewarders.errors import ConfigError
from rewarders.types import Component, Unit, Wire

_GRID = 2.0**-40
_LARGEST = 4096
"""Sums of up to 4,096 in magnitude are exact on this grid in any order, and 1e-12 is far below any reward's meaning."""


class Part(Wire):
    """One rewarder's place in a rubric."""

    rewarder: str
    weight: Annotated[float, Field(ge=-100, le=100)] = 1.0
    """Share of the reward; negative for a penalty, 0 for a part that is observed and never paid."""
    gate: bool = False
    """A closed gate settles the reward at 0. A gate is paid only if its weight is given."""
    threshold: Unit = 0.0
    """A score below it counts as 0."""
    params: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _a_gate_is_not_paid_unless_said(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("gate") and "weight" not in data:
            return {**data, "weight": 0.0}
        return data

    @property
    def counts(self) -> bool:
        """Whether a fault here leaves the completion unscored."""
        return self.gate or self.weight != 0

    def effective(self, score: float) -> float:
        """The score after the threshold."""
        return score if score >= self.threshold else 0.0


class Rubric(Wire):
    """How the verdicts of several rewarders become one reward. Its digest is on every record."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*\.v[0-9]+$")]
    """Carries its version, as in `math.v1`."""
    description: str = ""
    aggregate: Literal["mean", "sum"] = "mean"
    parts: Annotated[tuple[Part, ...], Field(strict=False, min_length=1, max_length=32)]

    @model_validator(mode="after")
    def _something_pays(self) -> Self:
        if not any(part.weight > 0 for part in self.parts):
            raise ValueError("no part has a positive weight, so nothing would ever be paid")
        if sum(abs(part.weight) for part in self.parts) > _LARGEST * self.denominator:
            raise ValueError(f"rewards could be over {_LARGEST:,} in magnitude; bring the weights closer together")
        return self

    @cached_property
    def digest(self) -> str:
        """Content address of everything in the rubric that can change a reward."""
        return digest(self.model_dump(mode="json", exclude={"description"}))

    @property
    def denominator(self) -> float:
        """What weighted scores are divided by: penalties subtract, they do not dilute."""
        return self.denominator_of(self.parts)

    def denominator_of(self, parts: Sequence[Part]) -> float:
        """The same where these of its parts stand; 0 where none of them pays."""
        paid = sum(part.weight for part in parts if part.weight > 0)
        return paid if self.aggregate == "mean" or not paid else 1.0


def combine(rubric: Rubric, components: Sequence[Component]) -> tuple[float | None, tuple[Component, ...]]:
    """Turn the components of one completion, in the rubric's order, into its reward.

    Returns the reward, None where the completion is unscored, and the components with contributions that add up to
    the reward exactly.
    """
    standing = [_standing(part, component) for part, component in zip(rubric.parts, components, strict=True)]
    values = [_value(part, component) for part, component in zip(standing, components, strict=True)]
    parts = list(zip(standing, values, strict=True))
    closed = next((index for index, (part, value) in enumerate(parts) if part.gate and value == 0), None)
    if closed is None and any(part.counts and value is None for part, value in parts):
        return None, tuple(components)
    denominator = rubric.denominator_of(standing)
    if closed is None and denominator == 0:
        return None, tuple(components)
    weighted = [part.weight * (value or 0.0) for part, value in parts]
    shares = [amount / (denominator or 1.0) for amount in weighted]
    reward = math.fsum(weighted) / (denominator or 1.0)
    if closed is not None:
        shares[closed] -= math.fsum(shares)
        reward = 0.0
    shares, reward = _exactly_additive(shares, reward)
    contributed = (c.model_copy(update={"contribution": s}) for c, s in zip(components, shares, strict=True))
    return reward, tuple(contributed)


def _standing(part: Part, component: Component) -> Part:
    """The part as it counts for this component."""
    return part.model_copy(update={"weight": 0.0, "gate": False}) if component.observed else part


def _value(part: Part, component: Component) -> float | None:
    """The score that counts; None where a fault stands in its place."""
    return part.effective(component.verdict.score) if component.verdict else None


def _exactly_additive(shares: list[float], total: float) -> tuple[list[float], float]:
    """Leave shares that already add up alone; otherwise round to a grid and give the residual to the largest."""
    if reduce(add, shares) == math.fsum(shares) == total:
        return [share + 0.0 for share in shares], total + 0.0  # -0.0 would read as a penalty
    shares = [round(share / _GRID) * _GRID for share in shares]
    total = round(total / _GRID) * _GRID
    largest = max(range(len(shares)), key=lambda i: abs(shares[i]))
    shares[largest] += total - math.fsum(shares)
    return shares, total


def load_rubric(path: Path) -> Rubric:
    """Read one rubric from a TOML file.

    Raises:
        ConfigError: naming the file, the key and what is wrong with it.
    """
    return parse_rubric(path.read_bytes(), str(path))


def parse_rubric(data: bytes, source: str) -> Rubric:
    """Parse one rubric; `source` is what an error calls it. Raises ConfigError."""
    try:
        return Rubric.model_validate(tomllib.loads(data.decode("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{source} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "the rubric"
        raise ConfigError(f"{source}: {key}: {first['msg']}") from error


def built_in_rubrics() -> dict[str, Rubric]:
    """The rubrics that ship with Assay, by name."""
    files = (entry for entry in resources.files("rewarders.rubrics").iterdir() if entry.name.endswith(".toml"))
    rubrics = [parse_rubric(entry.read_bytes(), entry.name) for entry in files]
    return {rubric.name: rubric for rubric in sorted(rubrics, key=lambda rubric: rubric.name)}
