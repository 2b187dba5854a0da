"""Which judges have been tried on labelled data, for what, and how well they did. Pure but for reading the files.

A calibration speaks for one part of a rubric: this rewarder in this version, with these params, asked of these judges.
A judge is known by its identity, so that a model that was changed behind its name has to be tried again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from env_server.config import CalibrationConfig
from rewarders.digests import digest
from rewarders.errors import ConfigError
from rewarders.registry import RewarderSpec, first_problem


class Figure(BaseModel):
    """A figure with its 95 % interval. None where the data cannot tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None


_UNKNOWN = Figure(value=None)


class Calibration(BaseModel):
    """What `env-server judge calibrate` writes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: Annotated[Literal["judge.calibration/1"], Field(alias="schema")] = "judge.calibration/1"
    at: str
    rewarder: str
    version: str
    params: dict[str, JsonValue]
    judges: tuple[str, ...]
    """Identities that were seen."""
    data_digest: str
    items: int
    figures: dict[str, Figure]
    counts: dict[str, int]

    @property
    def key(self) -> str:
        """Of the part it speaks for."""
        return part_key(self.rewarder, self.version, self.params)


def part_key(rewarder: str, version: str, params: Mapping[str, Any]) -> str:
    """Digest of the part of a rubric that is judged; weight and threshold are the rubric's own business."""
    return digest([rewarder, version, dict(params)])


@dataclass(frozen=True)
class Calibrations:
    """Those of one service."""

    by_part: Mapping[str, tuple[Calibration, ...]]
    required: bool = True
    weak: Mapping[str, str] = field(default_factory=dict)
    """What the others fall short of, by the part that they were made for."""

    @classmethod
    def load(cls, config: CalibrationConfig) -> "Calibrations":
        """Read the files and tell those that suffice from the others. Raises ConfigError."""
        read = [read_calibration(path) for path in config.files]
        weak = {one.key: problems[0] for one in read if (problems := shortcomings(one, config))}
        good = [one for one in read if not shortcomings(one, config)]
        by_part = {key: tuple(one for one in good if one.key == key) for key in {one.key for one in good}}
        return cls(by_part, config.required, weak)

    def objection(self, spec: RewarderSpec, params: Mapping[str, Any], identities: Iterable[str]) -> str | None:
        """Why the verdict must not be paid, if it must not.

        Args:
            spec: whose verdict it is.
            params: of the rubric's part, as the rewarder understands them.
            identities: of the judges that were asked for it.
        """
        if not self.required or spec.opinion != "judge":
            return None
        key = part_key(spec.name, spec.version, full_params(spec, params))
        found = self.by_part.get(key, ())
        if not found and key in self.weak:
            return f"the calibration of {spec.name} does not suffice, since {self.weak[key]}: it only observes"
        if not found:
            return f"{spec.name} is not calibrated with these params: it only observes (`env-server judge calibrate`)"
        known = frozenset[str]().union(*(one.judges for one in found))
        if strangers := sorted(set(identities) - known):
            stranger = f"{spec.name} was calibrated with other judges than {strangers[0][:19]}"
            return f"{stranger}: it only observes (`env-server judge calibrate`)"
        return None


def full_params(spec: RewarderSpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """With every default, so that leaving one out and spelling it out are the same."""
    return spec.check_params(dict(params)).model_dump(mode="json")


def read_calibration(path: Path) -> Calibration:
    """Raises ConfigError naming the file."""
    try:
        return Calibration.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read the calibration {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{path} is no calibration: {first_problem(error)}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no calibration: it is not JSON") from error


def shortcomings(one: Calibration, config: CalibrationConfig) -> list[str]:
    """Why it does not suffice for the judge to be paid; nothing where it does."""
    return list(_shortcomings(one, config))


def _shortcomings(one: Calibration, config: CalibrationConfig) -> Iterator[str]:
    if one.items < config.min_items:
        yield f"only {one.items} different items were judged (min_items is {config.min_items})"
    for label in ("good", "bad"):
        if (count := one.counts.get(label, 0)) < config.min_each:
            yield f"only {count} of them are {label} (min_each is {config.min_each})"
    kappa = one.figures.get("kappa", _UNKNOWN).value
    if kappa is None or kappa < config.min_kappa:
        yield f"kappa is {_spelled(kappa)} (min_kappa is {config.min_kappa:g})"
    surely = one.figures.get("specificity", _UNKNOWN).low
    if surely is None or surely < config.min_specificity:
        yield f"specificity is only sure to be over {_spelled(surely)} (min_specificity is {config.min_specificity:g})"


def _spelled(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
