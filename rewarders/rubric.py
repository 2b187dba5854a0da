"""From verdicts to one number. `combine()` is pure; everything a dispute could be about is in this file.

1. A gate that is closed (its score, after its threshold, is 0) settles the reward, whatever else broke: at 0, or at the
   gate's own `settles_at`, and at the lowest of them where several are closed.
2. Otherwise the completion is unscored if there is a fault in a gate or in a paid part, or a gate's judge may not be
   paid: whether that gate is closed, nobody can say.
3. Otherwise the reward is the weighted mean, or the weighted sum, of the paid parts, up to the rubric's cap.

A part with weight 0 that is no gate is observed: recorded, never paid, and its fault changes nothing. So is a part
whose component says why it only observes, whatever the rubric says; where that leaves nothing to be paid, the
completion is unscored. What a weight is may depend on the step of the run.
"""

import math
from collections.abc import Sequence
from functools import cached_property, reduce
from operator import add
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, PrivateAttr, model_validator

from rewarders.digests import digest
from rewarders.schedule import Weight, steps_of, weight_at
from rewarders.types import Component, Unit, Wire

_GRID = 2.0**-40
_LARGEST = 4096
"""Sums of up to 4,096 in magnitude are exact on this grid in any order, and 1e-12 is far below any reward's meaning."""


class Part(Wire):
    """One rewarder's place in a rubric."""

    rewarder: str
    weight: Weight = 1.0
    """Share of the reward; negative for a penalty, 0 for a part that is observed and never paid. Or points
    `[[0, 0.0], [500, 1.0]]`: steps of the run, and the weight there, with straight lines between and the last one
    kept; a request that names no step is paid as at the start."""
    gate: bool = False
    """A closed gate settles the reward. A gate is paid only if its weight is given."""
    settles_at: Annotated[float, Field(ge=-100, le=0)] = 0.0
    """What a closed gate settles the reward at. Below 0 it is what others call a veto."""
    inverted: bool = False
    """The score counts as what it lacks of 1. For a penalty by a rewarder whose 1 is good, as of every built-in one."""
    threshold: Unit = 0.0
    """A score below it counts as 0."""
    cap: Annotated[float, Field(gt=0, le=1)] = 1.0
    """A score above it counts as this. Below the threshold it makes a step: the part counts as this or as nothing."""
    params: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _a_gate_is_not_paid_unless_said(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("gate") and "weight" not in data:
            return {**data, "weight": 0.0}
        return data

    @model_validator(mode="after")
    def _only_gates_settle(self) -> Self:
        if self.settles_at and not self.gate:
            raise ValueError("settles_at says what a closed gate is worth, and this is no gate: add gate = true")
        if self.inverted and self.gate:
            raise ValueError("an inverted gate would close on a perfect score: make it two parts, or another rewarder")
        return self

    def weight_at(self, step: int | None) -> float:
        """The weight at a step of the run; at the start of its schedule where the step is not known."""
        return weight_at(self.weight, step)

    @property
    def pays(self) -> bool:
        """Whether a high score is ever worth more than a low one."""
        return any(self.weight_at(step) > 0 for step in steps_of(self.weight))

    @property
    def is_penalty(self) -> bool:
        """Whether it is ever weighted negatively."""
        return any(self.weight_at(step) < 0 for step in steps_of(self.weight))

    def read(self, score: float) -> float:
        """The score, or what it lacks of 1."""
        return 1.0 - score if self.inverted else score

    def effective(self, score: float) -> float:
        """What counts of a score: as it is read, after threshold and cap."""
        read = self.read(score)
        return min(read, self.cap) if read >= self.threshold else 0.0


class Rubric(Wire):
    """How the verdicts of several rewarders become one reward. Its digest is on every record."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*\.v[0-9]+$", max_length=200)]
    """Carries its version, as in `math.v1`."""
    description: str = ""
    aggregate: Literal["mean", "sum"] = "mean"
    cap: Annotated[float, Field(gt=0, le=_LARGEST)] | None = None
    """The most that is paid; what goes beyond is taken from the payments in proportion."""
    parts: Annotated[tuple[Part, ...], Field(strict=False, min_length=1, max_length=32)]
    _source: str = PrivateAttr("")

    @model_validator(mode="after")
    def _something_pays(self) -> Self:
        for step in self.steps:
            weights = self.weights_at(step)
            if not any(weight > 0 for weight in weights):
                when = f" at step {step}" if len(self.steps) > 1 else ""
                raise ValueError(f"no part has a positive weight{when}, so nothing would ever be paid")
            if sum(map(abs, weights)) > _LARGEST * self.denominator_of(weights):
                raise ValueError(f"rewards could be over {_LARGEST:,} in magnitude; bring the weights closer together")
        if self.cap is not None and self.cap >= (most := max(self._range_at(step)[1] for step in self.steps)):
            raise ValueError(f"cap is {self.cap:g}, and no reward can be more than {most:g} anyway")
        return self

    @cached_property
    def digest(self) -> str:
        """Content address of everything in the rubric that can change a reward. What is left out and what is spelled
        out as it would be anyway are the same."""
        return digest(self.model_dump(mode="json", exclude={"description"}, exclude_defaults=True))

    @property
    def source(self) -> str:
        """Where it was read, for errors; empty for one that was not read from a file."""
        return self._source

    def read_from(self, source: str) -> Self:
        """The same rubric, knowing where it was read."""
        self._source = source
        return self

    @property
    def steps(self) -> tuple[int, ...]:
        """Where a weight turns. What is largest or smallest at any step is so at one of these."""
        return tuple(sorted({step for part in self.parts for step in steps_of(part.weight)}))

    def weights_at(self, step: int | None) -> list[float]:
        """The weight of each part at a step of the run."""
        return [part.weight_at(step) for part in self.parts]

    def denominator_of(self, weights: Sequence[float]) -> float:
        """What weighted scores are divided by: penalties subtract, they do not dilute. 0 where nothing pays."""
        paid = sum(weight for weight in weights if weight > 0)
        return paid if self.aggregate == "mean" or not paid else 1.0

    @property
    def lowest(self) -> float:
        """The least that penalties can bring a reward down to while no gate is closed; 0 without penalties."""
        return min(self._range_at(step)[0] for step in self.steps)

    def _range_at(self, step: int) -> tuple[float, float]:
        weights = self.weights_at(step)
        most = [weight * part.cap for weight, part in zip(weights, self.parts, strict=True)]
        ends = (math.fsum(w for w in most if w < 0), math.fsum(w for w in most if w > 0))
        return ends[0] / self.denominator_of(weights), ends[1] / self.denominator_of(weights)


def combine(
    rubric: Rubric, components: Sequence[Component], step: int | None = None
) -> tuple[float | None, tuple[Component, ...]]:
    """Turn the components of one completion, in the rubric's order, into its reward.

    Args:
        rubric: how.
        components: one for each part.
        step: of the run, for weights with a schedule.

    Returns the reward, None where the completion is unscored, and the components with the weights that counted and
    with contributions that add up to the reward exactly.
    """
    placed = list(zip(rubric.parts, components, strict=True))
    weights = [0.0 if component.observed else part.weight_at(step) for part, component in placed]
    values = [_value(part, component) for part, component in placed]
    reward, shares = _settle(rubric, weights, values)
    return reward, tuple(
        component.model_copy(update={"weight": weight, "gate": part.gate, "contribution": share})
        for (part, component), weight, share in zip(placed, weights, shares, strict=True)
    )


def _value(part: Part, component: Component) -> float | None:
    """The score that counts; None where a fault stands in its place, or a gate has no say that could be trusted."""
    if component.verdict is None or (part.gate and component.observed):
        return None
    return part.effective(component.verdict.score)


def _settle(
    rubric: Rubric, weights: Sequence[float], values: Sequence[float | None]
) -> tuple[float | None, list[float]]:
    """The reward, and each part's share of it."""
    counted = list(zip(rubric.parts, weights, values, strict=True))
    closed = [index for index, (part, _, value) in enumerate(counted) if part.gate and value == 0]
    denominator = rubric.denominator_of(weights)
    unknown = any(value is None and (part.gate or weight) for part, weight, value in counted)
    if not closed and (unknown or denominator == 0):
        return None, [0.0] * len(counted)
    weighted = [weight * (value or 0.0) for _, weight, value in counted]
    shares = [amount / (denominator or 1.0) for amount in weighted]
    reward = math.fsum(weighted) / (denominator or 1.0)
    if closed:
        settling = min(closed, key=lambda index: rubric.parts[index].settles_at)
        reward = rubric.parts[settling].settles_at
        shares[settling] += reward - math.fsum(shares)
    elif rubric.cap is not None and reward > rubric.cap:
        shares, reward = _scaled_down(shares, rubric.cap), rubric.cap
    return _exactly_additive(shares, reward, rubric.cap or _LARGEST)


def _scaled_down(shares: Sequence[float], cap: float) -> list[float]:
    """What is paid, in proportion, until it comes to the cap with what is taken."""
    taken = math.fsum(share for share in shares if share < 0)
    factor = (cap - taken) / math.fsum(share for share in shares if share > 0)
    return [share * factor if share > 0 else share for share in shares]


def _exactly_additive(shares: list[float], total: float, most: float) -> tuple[float, list[float]]:
    """Leave shares that already add up alone; otherwise round to a grid and give the residual to the largest."""
    if reduce(add, shares) == math.fsum(shares) == total:
        return total + 0.0, [share + 0.0 for share in shares]  # -0.0 would read as a penalty
    shares = [round(share / _GRID) * _GRID for share in shares]
    total = min(round(total / _GRID), math.floor(most / _GRID)) * _GRID
    largest = max(range(len(shares)), key=lambda i: abs(shares[i]))
    shares[largest] += total - math.fsum(shares)
    return total, shares
