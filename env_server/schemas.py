"""The envelopes of `POST /v1/score`. Shared by server and client; imports neither."""

from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from rewarders.types import Completion, Component, Fault, Name, Task, Wire


class Item(Wire):
    """One completion to be scored for one task."""

    task: Task
    completion: Completion
    group: Name | None = None
    """Completions of one task that were sampled together."""
    sample: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    """Index within the group."""


class Run(Wire):
    """The training run, and its step, that a request belongs to."""

    id: Name
    step: Annotated[int, Field(ge=0, lt=2**53)] | None = None


class ScoreRequest(Wire):
    """Body of `POST /v1/score`, as documented; the server validates each item by itself."""

    items: list[Item]
    run: Run | None = None
    explain: bool = False
    """Whether each answer says in a sentence where its reward came from."""


class Status(StrEnum):
    """What became of an item."""

    SCORED = "scored"
    UNSCORED = "unscored"
    """A failure of ours; `fault` says which. Never to be read as a reward of 0."""
    INVALID = "invalid"
    """The item itself is wrong; `problem` says where."""


class Problem(Wire):
    """An RFC 9457 problem document. It names the field and never repeats the input."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    hint: str | None = None
    item: int | None = None
    """Index of the item it is about, in a batch."""


class ScoredItem(Wire):
    """The answer to one item, in the place of the item."""

    status: Annotated[Status, Field(strict=False)]
    task_id: str | None
    reward: float | None
    components: Annotated[tuple[Component, ...], Field(strict=False)] = ()
    completion_digest: str | None = None
    rubric: str | None = None
    rubric_digest: str | None = None
    record_id: str | None = None
    group: str | None = None
    sample: int | None = None
    fault: Fault | None = None
    problem: Problem | None = None
    explanation: str | None = None
    """Where the reward came from, or why there is none; only if the request asked for it."""


class ScoreResponse(Wire):
    """Body of the answer to `POST /v1/score`: one entry an item, in order."""

    items: Annotated[tuple[ScoredItem, ...], Field(strict=False)]
    problems: Annotated[tuple[Problem, ...], Field(strict=False)] = ()


_NO_PROBLEMS = b'"problems":[]}'
_REFUSED = b'{"status":"invalid",'
"""In no text, where a quote is escaped; only a rewarder's evidence could hold it too."""


def refused_items(answer: bytes) -> int:
    """How many items are refused in the JSON of a `ScoreResponse`."""
    return 0 if answer.endswith(_NO_PROBLEMS) else answer.count(_REFUSED)


Places = Annotated[tuple[int, ...], Field(strict=False)]
"""Of items in a request, from 0."""


class AnsweredPart(ScoreResponse):
    """A line of an answer in lines (`application/x-ndjson`): one group, scored and recorded."""

    indices: Places


class FailedPart(Wire):
    """A line for a group that was not answered; nothing of it was recorded. The stream goes on with the others."""

    indices: Places
    problem: Problem


class StreamEnd(Wire):
    """The last line. An answer without it was cut."""

    done: Literal[True]
    items: int
    """So many were answered."""
    failed: int
    """So many were not."""
    groups: int


class ScoredPart(NamedTuple):
    """One finished group, as a client hands it on."""

    indices: tuple[int, ...]
    """Places of the items in the request."""
    items: tuple[ScoredItem, ...]


RawItem = dict[str, Any]
"""An item as parsed JSON, not yet validated."""


class RefusedItem(NamedTuple):
    """What is wrong with an item, where that was found out while its body was read."""

    message: str
    field: str
    group: str | None
    """What it says its group is: it is answered with that, as one that is refused later."""


ReadItem = RawItem | RefusedItem
"""An item of a body that was read."""


def group_named_by(item: ReadItem) -> str | None:
    """The group that an item says it belongs to, if that is a name."""
    named = item.group if isinstance(item, RefusedItem) else item.get("group") if isinstance(item, dict) else None
    return named if isinstance(named, str) else None
