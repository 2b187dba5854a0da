"""Which records are wanted. Shared by server, client and commands; imports nothing of the ledger."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from rewarders.errors import ConfigError

MOST_A_PAGE = 1000
MOST_WHOLE = 100
_SPANS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOST_DIGITS = 6
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
"""No name holds a NUL: PostgreSQL has no place for one."""
Step = Annotated[int, Field(ge=0, lt=2**53)]


def _spelled_as_a_date(value: object) -> object:
    """A number would be taken for seconds, or for milliseconds, since 1970."""
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("it has to begin with a date, as in 2026-03-01T12:00Z")
    return value


Moment = Annotated[datetime, BeforeValidator(_spelled_as_a_date)]


class RecordFilter(BaseModel):
    """Which records are wanted; whatever is not given is not asked about."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["reward", "correction", "invalidation", "label", "replay", "erasure", "all"] = "reward"
    """Rewards alone if not given."""
    run: Text | None = None
    """Name of the training run."""
    step: Step | None = None
    """Step of the run."""
    step_min: Step | None = None
    """This step and later ones."""
    step_max: Step | None = None
    """This step and earlier ones."""
    group: Text | None = None
    """Completions of one task that were sampled together. Name the run or the task too: groups have no index."""
    task_id: Text | None = None
    """As the task names itself."""
    rubric: Text | None = None
    """Name, version included."""
    rewarder: Text | None = None
    """One that said something of it."""
    reason: Text | None = None
    """What a rewarder said (this one, if one is given): the reason of a verdict, or the kind of a fault."""
    status: Text | None = None
    """`scored` or `unscored`; of a replay, its result."""
    since: Moment | None = None
    """This moment and later ones; UTC where it has no offset."""
    until: Moment | None = None
    """Before this moment."""
    reward_min: FiniteFloat | None = None
    """This reward and higher ones."""
    reward_max: FiniteFloat | None = None
    """This reward and lower ones."""

    def within(self, tenant: str | None) -> "OwnedFilter":
        """The same among a tenant's records; among everybody's if None."""
        return OwnedFilter.model_validate({**self.model_dump(), "tenant": tenant})


class OwnedFilter(RecordFilter):
    """Which records of a tenant are wanted."""

    tenant: Text | None = None
    """Whose; anybody's if not given."""


class RecordQuery(RecordFilter):
    """The parameters of `GET /v1/records`."""

    order: Literal["newest", "oldest"] = "newest"
    """Which come first."""
    limit: Annotated[int, Field(ge=1, le=MOST_A_PAGE)] = 100
    """Most records in one answer; 100 with `expand`."""
    cursor: Annotated[str, Field(min_length=1, max_length=100, json_schema_extra={"format": "uuid"})] | None = None
    """`next` of the answer before."""
    expand: bool = False
    """Give whole records, as `GET /v1/records/{id}` does."""

    @property
    def filter(self) -> RecordFilter:
        """What is wanted, without how it is to be given."""
        return RecordFilter.model_validate(self.model_dump(include=set(RecordFilter.model_fields)))


def moment(text: str | None, flag: str) -> datetime | None:
    """A point in time as people give it: ISO 8601, or how long ago, as in `90m`, `24h`, `7d`. Raises ConfigError."""
    if text is None:
        return None
    digits, unit = text[:-1], _SPANS.get(text[-1:])
    if unit and digits.isdecimal() and len(digits) <= _MOST_DIGITS:
        return datetime.now(UTC) - timedelta(**{unit: int(digits)})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{flag} is {text!r:.60}", hint="give a time as 2026-03-01T12:00, or how long ago: 24h"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
