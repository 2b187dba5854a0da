"""What the routes make of a body's JSON. Other processes do this too, so nothing here belongs to one of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from env_server.schemas import Item, ReadItem, RefusedItem, Run, ScoreRequest, group_named_by
from rewarders.errors import InvalidTask, RequestError, TooLarge
from rewarders.registry import unechoed_problem

M = TypeVar("M", bound=BaseModel)
_MOST_FIELDS = 100
"""More than any object of ours has: each that is not known would be spelled out, though only the first is told of."""


class Envelope(NamedTuple):
    """Of `POST /v1/score`, whose items are still to be validated, one by one."""

    items: list[ReadItem]
    run: Run | None
    explain: bool


def open_envelope(body: Any, *, most_items: int) -> Envelope:
    """Check the envelope alone. Raises RequestError, TooLarge."""
    if not isinstance(body, dict):
        raise RequestError("the body has to be an object with a field 'items'")
    if body.keys() - ScoreRequest.model_fields.keys():
        known = ", ".join(ScoreRequest.model_fields)
        raise RequestError("the body holds a field that is not known", hint=f"known fields: {known}")
    items = body.get("items")
    if not isinstance(items, list):
        raise RequestError("items has to be a list", field="items")
    if len(items) > most_items:
        raise TooLarge(f"the request holds {len(items)} items; at most {most_items} are taken", field="items")
    explain = body.get("explain", False)
    if not isinstance(explain, bool):
        raise RequestError("explain has to be true or false", field="explain")
    return Envelope(items, _run(body.get("run")), explain)


def open_and_check(body: Any, *, most_items: int) -> Envelope:
    """The same, and what is wrong with an item takes its place: whoever gets it need not look at what was sent."""
    envelope = open_envelope(body, most_items=most_items)
    return envelope._replace(items=[_unless_refused(item) for item in envelope.items])


def read_item(raw: ReadItem) -> Item:
    """One item of the envelope. Raises InvalidTask."""
    if isinstance(raw, RefusedItem):
        raise InvalidTask(raw.message, field=raw.field)
    if any(isinstance(part, dict) and len(part) > _MOST_FIELDS for part in _parts(raw)):
        raise InvalidTask("the item: holds a field that is not known")
    try:
        return Item.model_validate(raw)
    except ValidationError as error:
        field, message = unechoed_problem(error)
        raise InvalidTask(f"{field or 'the item'}: {message}", field=field) from None


def _parts(item: Any) -> Iterator[Any]:
    """The objects of an item whose fields are ours."""
    yield item
    for name, turns in (("task", "prompt"), ("completion", "messages")):
        part = item.get(name) if isinstance(item, dict) else None
        yield part
        said = part.get(turns) if isinstance(part, dict) else None
        yield from said if isinstance(said, list) else ()


def read_model(body: Any, *, model: type[M]) -> M:
    """The body as the model has it. Raises RequestError naming the field."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        field, message = unechoed_problem(error)
        raise RequestError(f"{field or 'the body'}: {message}", field=field) from None


def _unless_refused(raw: ReadItem) -> ReadItem:
    try:
        read_item(raw)
    except InvalidTask as error:
        return RefusedItem(str(error), error.field, group_named_by(raw))
    return raw


def _run(data: Any) -> Run | None:
    if data is None:
        return None
    try:
        return Run.model_validate(data)
    except ValidationError as error:
        field, message = unechoed_problem(error)
        path = f"run.{field}".rstrip(".")
        raise RequestError(f"{path}: {message}", field=path) from None
