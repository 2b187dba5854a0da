"""How a dialect's route asks the engine: the same limits, the same records, the same problem documents."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Annotated, Any, NoReturn, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from env_server.dialects.translation import fault_of
from env_server.envelope import read_model
from env_server.routes.bodies import read_as
from env_server.routes.documents import documented
from env_server.schemas import RawItem, Run, ScoredItem, ScoreResponse, Status
from env_server.service import Service, service_of
from env_server.terms import TERMS_PARAMETERS, terms_of
from rewarders.errors import InvalidTask, NotFound, TooLarge, Unavailable, UnknownRubric

RunName = Annotated[str | None, Query(alias="run", min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""`?run=NAME`: the training run, for the ledger; part of the address, since no dialect sends it."""


JsonLabels = Annotated[bool, Query()]
"""`?json_labels=true`: labels that are text spell JSON, objects for instance."""


class Foreign(BaseModel):
    """A body that somebody else defined: what we do not know of it is none of our business."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


F = TypeVar("F", bound=Foreign)


async def _begun(request: Request) -> AsyncIterator[None]:
    """Terms and a place, before the body is read. Raises RequestError, QuotaExceeded."""
    request.state.terms = terms = terms_of(request)
    with service_of(request).admission.admitted(terms.principal) as request.state.admitted:
        yield


begins = Depends(_begun)
"""For `dependencies` of a router: what `score` goes by."""


def documented_asking(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a route that scores."""
    return {**documented(model), "parameters": TERMS_PARAMETERS}


async def read(request: Request, model: type[F]) -> tuple[F, Any]:
    """The body as the model has it, and whole. Raises what `POST /v1/score` would of it."""
    found, _ = await read_as(request, partial(_both, model=model))
    return found


def _both(body: Any, *, model: type[F]) -> tuple[F, Any]:
    return read_model(body, model=model), body


def require_feasible(request: Request, rubric: str, completions: int) -> None:
    """See that what is asked for can be done, before anything is made of it.

    Raises:
        NotFound: there is no such rubric.
        TooLarge: more completions than a request may have.
    """
    service = service_of(request)
    require_rubric(service, rubric)
    most = service.config.server.max_completions_per_request
    if completions > most:
        raise TooLarge(f"the request holds {completions} completions; at most {most} are taken")


async def score(request: Request, items: Sequence[RawItem], run: str | None) -> tuple[ScoredItem, ...]:
    """Score the items, and record them.

    Raises:
        InvalidTask: an item is wrong; a dialect has no way to say which.
        QuotaExceeded: the key has asked for enough just now.
        Overloaded, LedgerError: as `Engine.score`.
    """
    service, terms, admitted = service_of(request), request.state.terms, request.state.admitted
    with admitted.paying(len(items)):
        answer = await service.engine.score(items, Run(id=run) if run else None, terms=terms)
    scored = ScoreResponse.model_validate_json(answer).items
    for index, item in enumerate(scored):
        if item.status is Status.INVALID:
            _refuse(index, item)
    return scored


def require_rewards(scored: Sequence[ScoredItem]) -> list[float]:
    """The rewards, for a dialect that has no word for `unscored`.

    Raises:
        Unavailable: one has none. Its client asks again, and then does without a reward; it never reads a 0.
    """
    for item in scored:
        if item.reward is None:
            raise Unavailable(f"a completion was left unscored, and that is no reward of 0: {fault_of(item)}")
    return [item.reward for item in scored if item.reward is not None]


def require_rubric(service: Service, rubric: str) -> None:
    """Raises NotFound where the service has no such rubric."""
    try:
        service.engine.rubrics.get(rubric)
    except UnknownRubric as error:
        raise NotFound("the address names a rubric that the service does not have", hint=error.hint) from None


def _refuse(index: int, item: ScoredItem) -> NoReturn:
    problem = item.problem
    detail, field, hint = (problem.detail, problem.field or "", problem.hint or "") if problem else ("", "", "")
    raise InvalidTask(f"completion {index}: {detail}", field=field, hint=hint)
