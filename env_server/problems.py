"""From an error to an RFC 9457 problem document. One table; no document ever repeats what was sent."""

from http import HTTPStatus

from env_server.schemas import Problem
from rewarders.errors import AssayError, LedgerError, Overloaded, RequestError, Unavailable

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:assay:problem:"


def problem_of(error: AssayError, *, item: int | None = None) -> Problem:
    """The problem document of an error of ours."""
    status, code = _status_and_code(error)
    return Problem(
        type=_TYPE + code,
        title=code.replace("_", " "),
        status=status,
        detail=str(error),
        field=getattr(error, "field", "") or None,
        hint=error.hint or None,
        item=item,
    )


def http_problem(status: int, detail: str) -> Problem:
    """The problem document of a plain HTTP status."""
    phrase = HTTPStatus(status).phrase
    return Problem(type=_TYPE + phrase.lower().replace(" ", "_"), title=phrase, status=status, detail=detail)


def _status_and_code(error: AssayError) -> tuple[int, str]:
    match error:
        case RequestError():
            return error.status, error.code
        case Overloaded():
            return 503, "overloaded"
        case Unavailable():
            return 503, "unavailable"
        case LedgerError():
            return 503, "ledger_unavailable"
        case _:
            return 500, "internal_error"
