"""Weights that change with the training step: straight lines between points, the last one kept."""

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

_Number = Annotated[float, Field(ge=-100, le=100)]
Point = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**53)], _Number], Field(strict=False)]


def _is_in_order(points: tuple[Point, ...]) -> tuple[Point, ...]:
    steps = [step for step, _ in points]
    if steps != sorted(set(steps)):
        raise ValueError(f"the steps of a schedule have to rise: {steps}")
    values = [weight for _, weight in points]
    if min(values) < 0 < max(values):
        raise ValueError("a schedule cannot lead from a payment to a penalty: give it two parts")
    return points


Schedule = Annotated[tuple[Point, ...], Field(strict=False, min_length=2, max_length=64), AfterValidator(_is_in_order)]
"""Points `[[0, 0.0], [500, 1.0]]`: steps of the run, and the weight there."""


def _kind(weight: Any) -> str:
    return "schedule" if isinstance(weight, list | tuple) else "number"


Weight = Annotated[Annotated[_Number, Tag("number")] | Annotated[Schedule, Tag("schedule")], Discriminator(_kind)]
"""A number, or a schedule; an error then says what is wrong with the one that was meant."""


def weight_at(weight: float | Schedule, step: int | None) -> float:
    """The weight at a step; where the step is not known, that at the schedule's start."""
    if not isinstance(weight, tuple):
        return weight
    before = [point for point in weight if step is not None and point[0] <= step]
    if not before or step is None:
        return weight[0][1]
    since, start = before[-1]
    if len(before) == len(weight):
        return start
    until, end = weight[len(before)]
    share = (step - since) / (until - since)
    return start * (1 - share) + end * share


def steps_of(weight: float | Schedule) -> tuple[int, ...]:
    """Where the weight turns; everything that is largest or smallest anywhere is so at one of these."""
    return tuple(step for step, _ in weight) if isinstance(weight, tuple) else (0,)
