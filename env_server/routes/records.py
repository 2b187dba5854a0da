"""`/v1/records`: finding them, computing them again, and saying something of them."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from env_server.annotating import Annotation, annotation, replayed, require_subject
from env_server.engine import KeepReply
from env_server.envelope import read_model
from env_server.explaining import explained_record
from env_server.idempotency import key_of
from env_server.keys.scopes import needs, require
from env_server.ledger.entry import Kind
from env_server.ledger.kept_replies import KeptReply
from env_server.ledger.reader import LedgerReader
from env_server.ledger.searching import Position, position
from env_server.principal import Scope, principal_of
from env_server.record_filter import MOST_WHOLE, RecordQuery
from env_server.replay.replayer import INSTALLED, Comparison, Replayer
from env_server.replay.results import Replay
from env_server.replay.rubrics import RubricArchive
from env_server.routes.bodies import read_as
from env_server.routes.documents import PROBLEM_RESPONSES, documented
from env_server.routes.places import Place
from env_server.service import service_of
from rewarders.digests import canonical_json, digest_bytes
from rewarders.errors import NotFound, RequestError
from rewarders.types import Name, Wire

_MOST_BYTES = 8 * 1024 * 1024
"""Of whole records on a page, but for the last of them."""
router = APIRouter(responses=PROBLEM_RESPONSES)


class Recompute(Wire):
    """Body of `POST /v1/records/{id}/recompute`; every field may be left out, and so may the body."""

    live: bool = False
    """Ask judges and reward models anew, and compare; the record stays as it is."""
    against: Name | None = None
    """`installed`, or a version of `rewarder`, instead of the very code that is on the record."""
    rewarder: Name | None = None
    """Run this one alone; the others stay as recorded."""
    dry_run: bool = False
    """Leave no record of the replay."""


@router.get("/v1/records", dependencies=[needs(Scope.READ)])
async def find(request: Request, place: Place, query: Annotated[RecordQuery, Query()]) -> Response:
    """Records that match, page by page: small rows, or whole ones with `expand`."""
    reader = _reader(request)
    limit = min(query.limit, MOST_WHOLE) if query.expand else query.limit
    where = position(query.cursor, newest_first=query.order == "newest", limit=limit)
    page = await reader.aside(_page, reader, query, where, principal_of(request).tenant)
    return Response(page, media_type="application/json")


@router.post(
    "/v1/records/{record_id}/recompute",
    response_model=Replay,
    dependencies=[needs(Scope.WRITE)],
    openapi_extra=documented(Recompute, required=False),
)
async def recompute(request: Request, place: Place, record_id: str) -> Response:
    """Compute a reward again and compare. The record stays as it is; the comparison becomes a record of its own."""
    service = service_of(request)
    asked = await _asked(request)
    if asked.live:  # it asks endpoints what a reward would have asked them
        require(request, Scope.SCORE)
    record = await _whole(request, record_id)
    require_subject(record, Kind.REPLAY)
    how = Comparison(asked.against, asked.rewarder, asked.live)
    replayer = Replayer(service.engine, service.registry, RubricArchive(service.engine.rubrics, _reader(request)))
    with place.paying(1):
        replay = await replayer.replay(record, how, principal_of(request))
    if not (asked.dry_run or record["erased"]) and service.engine.ledger:
        entry = replayed(record, replay, service.engine.redactor)
        await service.engine.ledger.append([entry])
        replay = replay.model_copy(update={"replay_id": str(UUID(bytes=entry.id))})
    return Response(replay.model_dump_json(), media_type="application/json")


@router.post(
    "/v1/records/{record_id}/notes",
    status_code=201,
    dependencies=[needs(Scope.WRITE)],
    openapi_extra=documented(Annotation),
)
async def note(request: Request, place: Place, record_id: str) -> Response:
    """Say that a reward ought to have been another, that a record must not be used, or what a person thinks of it."""
    service = service_of(request)
    said, digest = await read_as(request, partial(read_model, model=Annotation))
    record = await _whole(request, record_id)
    entry = annotation(record, said, service.engine.redactor)
    answer = canonical_json({"id": str(UUID(bytes=entry.id)), "about": record["id"], "kind": said.kind})

    async def keep(wanted: KeepReply | None) -> bytes:
        assert service.engine.ledger is not None, "there is a reader"
        kept = KeptReply(wanted.key, wanted.request_digest, answer) if wanted else None
        await service.engine.ledger.append([entry], kept)
        return answer

    key = key_of(request)
    if key is None:
        answered = await keep(None)
    else:
        asked = digest_bytes(f"POST {record['id']} {digest()}".encode())
        answered = await service.replays.answer(key, asked, keep, tenant=principal_of(request).tenant)
    return Response(answered, status_code=201, media_type="application/json")


def _reader(request: Request) -> LedgerReader:
    reader = service_of(request).reader
    if reader is None:
        raise NotFound("the service keeps no ledger")
    return reader


async def _whole(request: Request, record_id: str) -> dict[str, Any]:
    """The record, if it is the tenant's. Raises NotFound."""
    reader = _reader(request)
    record = await reader.aside(reader.record, record_id, tenant=principal_of(request).tenant)
    if record is None:
        raise NotFound("there is no such record")
    return record


def _page(reader: LedgerReader, query: RecordQuery, where: Position, tenant: str | None) -> bytes:
    """The answer in JSON. A page of whole records ends early where they are long."""
    rows, cursor = reader.search(query.filter.within(tenant), where)
    if not query.expand:
        return to_json({"records": rows, "next": cursor})
    spelled: list[bytes] = []
    size_bytes = 0
    for number, row in enumerate(rows, start=1):
        if record := explained_record(reader, row["id"], tenant):
            spelled.append(to_json(record))
            size_bytes += len(spelled[-1])
        if size_bytes > _MOST_BYTES and number < len(rows):
            cursor = row["id"]
            break
    return b'{"records":[%b],"next":%b}' % (b",".join(spelled), to_json(cursor))


async def _asked(request: Request) -> Recompute:
    if "content-type" not in request.headers and request.headers.get("content-length", "0") == "0":
        return Recompute()
    asked, _ = await read_as(request, partial(read_model, model=Recompute))
    if asked.against not in (None, INSTALLED) and asked.rewarder is None:
        raise RequestError("a version is that of one rewarder: name it", field="rewarder")
    return asked
