"""What comes of computing a recorded reward again: part by part, and altogether."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from rewarders.types import Fault, Wire

Tuple = Field(strict=False)


class Promise(StrEnum):
    """How much of a verdict has to come out the same."""

    EXACT = "exact"
    """Everything, byte for byte: the rewarder only computes."""
    BOUNDED = "bounded"
    """Score and reason: it runs programs, and their evidence may hold how long they took."""
    CASSETTE = "cassette"
    """Everything: it asks models, and their recorded replies answer."""
    LIVE = "live"
    """Score and reason: it asks models, and they are asked once more."""


class Result(StrEnum):
    """What a comparison says."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_REPLAYABLE = "not_replayable"
    """It cannot be compared, and never will be here; `why` says what is missing."""
    COULD_NOT = "could_not"
    """A failure of ours: neither equal nor different. Worth another try."""
    AS_RECORDED = "as_recorded"
    """Of a part alone: it was not asked about."""


class Why(StrEnum):
    """What stands in the way of a replay."""

    VERSION_MISSING = "version_missing"
    """The rewarder, or the version wanted of it, is not installed."""
    CODE_CHANGED = "code_changed"
    """What is installed is other code under the same version."""
    ERASED = "erased"
    """Task or completion were erased."""
    REDACTED = "redacted"
    """A redaction rule took something out of what was recorded."""
    RUBRIC_MISSING = "rubric_missing"
    """The rubric, as it was, is not there to combine the parts by."""
    FAULTED = "faulted"
    """The record holds a fault there: nothing to compare with."""
    NO_REPLIES = "no_replies"
    """The record holds no reply to what the models are asked."""
    UNREADABLE = "unreadable"
    """This service cannot read what another version of it recorded."""


class Opinion(Wire):
    """Score and reason of a verdict."""

    score: float
    reason: str


class ReplayedPart(Wire):
    """One component, then and now."""

    rewarder: str
    promise: Annotated[Promise | None, Tuple] = None
    """None where nothing was run."""
    result: Annotated[Result, Tuple]
    why: Annotated[Why | None, Tuple] = None
    detail: str | None = None
    """A sentence: what is missing, or what failed."""
    counts: bool = True
    """Whether it could change the reward; a part that only observes cannot."""
    then: Opinion | None = None
    now: Opinion | None = None
    fault: Fault | None = None
    """What went wrong in the replay, where something did."""
    evidence: dict[str, Annotated[tuple[JsonValue, JsonValue], Tuple]] = Field(default_factory=dict)
    """What is different in the evidence: by key, then and now."""
    environment: dict[str, Annotated[tuple[JsonValue, JsonValue], Tuple]] = Field(default_factory=dict)
    """What is different around it: version, code, sandbox, judge; then and now."""


class Replay(Wire):
    """A record, computed again."""

    record_id: str
    result: Annotated[Result, Tuple]
    why: Annotated[Why | None, Tuple] = None
    """What stood in the way, where something did."""
    old_reward: float | None = None
    reward: float | None = None
    """As it comes out now; None where it does not."""
    components: Annotated[tuple[ReplayedPart, ...], Tuple] = ()
    service: Annotated[tuple[str, str] | None, Tuple] = None
    """Build of the service then and now, where they differ."""
    against: str | None = None
    """Which version the verdicts come from, if not from the recorded one."""
    live: bool = False
    replay_id: str | None = None
    """The record of this replay; None where none was to be made."""


def overall(parts: tuple[ReplayedPart, ...], *, rewards_differ: bool | None) -> tuple[Result, Why | None]:
    """What the parts come to: a difference that was found outweighs what could not be looked at.

    Args:
        parts: all of them. One that counts for nothing stands in nobody's way, but its difference is one.
        rewards_differ: None where there is no reward to compare, for want of the rubric.
    """
    asked = [part for part in parts if part.result is not Result.AS_RECORDED]
    if rewards_differ or any(part.result is Result.DIFFERENT for part in asked):
        return Result.DIFFERENT, None
    if any(part.result is Result.COULD_NOT for part in asked):
        return Result.COULD_NOT, None
    missing = [part.why for part in asked if part.result is Result.NOT_REPLAYABLE]
    blocking = [part.why for part in asked if part.result is Result.NOT_REPLAYABLE and part.counts]
    if rewards_differ is None:
        return Result.NOT_REPLAYABLE, next(iter(blocking), Why.RUBRIC_MISSING)
    if blocking or len(missing) == len(asked):
        return Result.NOT_REPLAYABLE, next(iter(blocking or missing), None)
    return Result.EQUAL, None
