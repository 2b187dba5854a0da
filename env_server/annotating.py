"""What people, and replays, say of a reward afterwards: new records that point at the old one, which stays as it is."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from env_server.ledger.entry import Entry, Kind, new_id
from env_server.redaction import Redactor
from env_server.replay.results import Replay
from rewarders.digests import canonical_json
from rewarders.errors import RequestError
from rewarders.types import Name, Wire

_MOST_REWARD = 1e6
_COPIED = ("run", "step", "group", "sample", "task_id", "rubric")
_SUBJECTS = {
    Kind.CORRECTION: (Kind.REWARD,),
    Kind.LABEL: (Kind.REWARD,),
    Kind.INVALIDATION: (Kind.REWARD, Kind.CORRECTION, Kind.LABEL, Kind.REPLAY),
    Kind.REPLAY: (Kind.REWARD,),
}
"""What each kind can be about."""


class Annotation(Wire):
    """Body of `POST /v1/records/{id}/notes`: a correction, an invalidation or a label."""

    kind: Literal["correction", "invalidation", "label"]
    """The reward ought to have been another; the record must not be used any more; what a person says of it."""
    by: Name
    """Who says so."""
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    """Why."""
    reward: Annotated[float, Field(ge=-_MOST_REWARD, le=_MOST_REWARD)] | None = None
    """Of a correction: what it ought to have been."""
    label: bool | Annotated[float, Field(ge=-_MOST_REWARD, le=_MOST_REWARD)] | Name | None = None
    """Of a label: whether the completion is good, how good it is, or what it is."""

    @model_validator(mode="after")
    def _says_what_its_kind_says(self) -> Self:
        wanted = {"correction": "reward", "label": "label"}.get(self.kind)
        for name in ("reward", "label"):
            if (getattr(self, name) is None) == (name == wanted):
                raise ValueError(f"a {self.kind} {'needs' if name == wanted else 'has no'} {name}")
        return self


def annotation(record: Mapping[str, Any], said: Annotation, redactor: Redactor | None) -> Entry:
    """The new record. Raises RequestError: what it is about is no record of which that can be said, or was erased."""
    detail = said.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
    return _entry(record, Kind(said.kind), detail, redactor, reward=said.reward)


def replayed(record: Mapping[str, Any], replay: Replay, redactor: Redactor | None) -> Entry:
    """The record of a replay. Raises RequestError where the record was erased: nothing more is kept of it."""
    detail = replay.model_dump(mode="json", exclude={"record_id", "replay_id"})
    return _entry(record, Kind.REPLAY, detail, redactor, reward=replay.reward, status=str(replay.result))


def require_subject(record: Mapping[str, Any], kind: Kind) -> None:
    """Raises RequestError: nothing of this kind can be said of such a record."""
    if record["kind"] not in _SUBJECTS[kind]:
        possible = " or a ".join(_SUBJECTS[kind])
        raise RequestError(f"a {kind} is about a {possible}, and this record is a {record['kind']}", field="kind")


def _entry(
    record: Mapping[str, Any],
    kind: Kind,
    detail: dict[str, Any],
    redactor: Redactor | None,
    *,
    reward: float | None,
    status: str | None = None,
) -> Entry:
    require_subject(record, kind)
    if record["erased"]:
        raise RequestError("the record was erased: nothing can be said of it any more")
    detail = redactor.redact_note(detail) if redactor else detail
    copied: dict[str, Any] = {name: record.get(name) for name in _COPIED}
    return Entry(
        id=new_id(), kind=kind, detail=canonical_json(detail), about=UUID(record["id"]).bytes, reward=reward,
        status=status, tenant=record.get("tenant"), **copied,
    )  # fmt: skip
