"""What a rubric may ask of `maths.equal`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rewarders.text import Extractor

_Margin = Annotated[float, Field(ge=0, lt=1e6, allow_inf_nan=False)]


class Params(BaseModel):
    """Settings of `maths.equal`. Without any, an answer is right if it is exactly the value of the reference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept: Annotated[tuple[Extractor, ...], Field(min_length=1)] = tuple(Extractor)
    """Where a final answer may stand. `["box"]` pays only what is boxed."""
    truncated: Literal["marked", "never"] = "marked"
    """Whether a completion that was cut off may be right: if its answer is marked, by a box for one, or never."""
    form: Literal["any", "integer", "reduced_fraction", "decimal", "simplest"] = "any"
    """How the answer has to be written, beside being equal. `simplest` is a number with nothing left to compute: no
    arithmetic between numbers, no fraction to reduce, no square under a root, no root below a fraction."""
    decimal_places: Annotated[int, Field(ge=0, le=100)] | None = None
    """The answer is a decimal of exactly so many places."""
    rounding: Literal["exact", "as_reference"] = "exact"
    """`as_reference`: a reference written with n decimals accepts what rounds to it."""
    absolute_tolerance: _Margin = 0.0
    relative_tolerance: _Margin = 0.0
    """Of the reference's value. The largest of the allowances holds."""
    units: Literal["optional", "required"] = "optional"
    """Whether an answer needs the unit that the reference has. A different unit is always wrong."""
