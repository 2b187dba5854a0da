"""Everything Assay raises on purpose.

AssayError                       carries a hint: what to do next
├── ConfigError                  a file or flag is wrong                                  exit 2
├── PluginError                  a plug-in cannot load, or breaks the contract            exit 2
├── RequestError                 the caller's fault                                       4xx
│   ├── InvalidBody · TooLarge · UnsupportedMedia · RequestTimeout · NotFound · IdempotencyConflict
│   ├── QuotaExceeded            of this key, just now
│   └── InvalidTask · UnknownRubric            one item of a batch; its neighbours are scored
├── FaultError                   ours: reward null, HTTP 200
│   └── RewarderFault · JudgeFault · ModelFault
├── Overloaded · Unavailable · LedgerError   could not be taken, or not be recorded       503
└── TrainingError                FaultBudgetExceeded · NonFiniteLoss · CheckpointMismatch exit 1
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AssayError(Exception):
    """Base of the tree. `str(error)` names the thing and the value; `hint` names the next move."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(AssayError):
    """A configuration file or a flag is wrong; the message names the key, the value and the file."""


class PluginError(AssayError):
    """A plug-in cannot be loaded or breaks the contract; the message names its distribution."""


class RequestError(AssayError):
    """The caller's fault. `status` is the HTTP status and `code` the stable name of the problem.

    `field` is the path of the offending value. The value itself is never repeated.
    """

    status = 422
    code = "invalid_request"

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class InvalidBody(RequestError):
    """The body is not the strict JSON we accept."""

    status = 400
    code = "invalid_body"


class TooLarge(RequestError):
    """The body or the batch is over a limit; the message names the limit."""

    status = 413
    code = "too_large"


class UnsupportedMedia(RequestError):
    """The body is not `application/json` in UTF-8 without a content encoding."""

    status = 415
    code = "unsupported_media"


class RequestTimeout(RequestError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"


class NotFound(RequestError):
    """No such record, rubric or rewarder."""

    status = 404
    code = "not_found"


class IdempotencyConflict(RequestError):
    """The idempotency key was used with another body, or its first request is still running."""

    status = 409
    code = "idempotency_conflict"


class QuotaExceeded(RequestError):
    """The key has asked for as much as it may just now; try again after `retry_after_s`."""

    status = 429
    code = "quota_exceeded"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, hint=f"retry after {retry_after_s:.3g} s")
        self.retry_after_s = retry_after_s


class InvalidTask(RequestError):
    """The task's own data is wrong: its reference does not validate or its rubric cannot be applied."""

    code = "invalid_task"


class UnknownRubric(InvalidTask):
    """The task names a rubric this service does not have."""

    code = "unknown_rubric"


class FaultError(AssayError):
    """A failure of ours. It becomes `Component.fault` and a null reward, never a zero."""

    def __init__(self, message: str, *, retryable: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable


class RewarderFault(FaultError):
    """A plug-in raised, returned something else than a verdict, or could not be run."""


class JudgeFault(FaultError):
    """A judge could not be asked, or answers nothing that can be read whatever it is asked."""


class ModelFault(FaultError):
    """A reward model could not be asked, or gave no finite number."""


class Overloaded(AssayError):
    """The service cannot take more just now; try again after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message, hint=f"retry after {retry_after_s:.3g} s")
        self.retry_after_s = retry_after_s


class Unavailable(AssayError):
    """The service cannot score just now; the message says what is missing."""


class LedgerError(AssayError):
    """A record could not be written or does not verify; nothing unrecorded is ever answered."""


class TrainingError(AssayError):
    """Training cannot go on honestly."""


class FaultBudgetExceeded(TrainingError):
    """Too many rollouts of a step came back unscored to train on the survivors."""


class NonFiniteLoss(TrainingError):
    """The loss or the gradient norm is not finite."""


class CheckpointMismatch(TrainingError):
    """A checkpoint does not belong to this configuration."""


@contextmanager
def boundary(blame: type[AssayError], name: str, *, quote: bool = False) -> Iterator[None]:
    """Attribute whatever a plug-in raises to the plug-in, so that its author writes ordinary Python.

    Errors of ours pass through untouched. The one place where every exception is caught.

    Args:
        blame: the class to raise instead.
        name: who did it.
        quote: repeat the exception's message. Never where it can hold a task's reference: messages travel.

    Raises:
        AssayError: of the class `blame`, chained to the cause, naming the exception and where it was raised.
    """
    try:
        yield
    except AssayError:
        raise
    except Exception as error:
        said = f": {str(error)[:300]}" if quote else f" at {_place(error)}"
        raise blame(f"{name} raised {type(error).__name__}{said}") from error


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
