"""Which rank tells of an error that several of them end with. This module imports no torch."""

from rewarders.errors import AssayError

_TOLD = "told_elsewhere"


def mark_as_told(error: AssayError) -> None:
    """Note that another rank tells of this error."""
    vars(error)[_TOLD] = True


def told_elsewhere(error: AssayError) -> bool:
    """Whether another rank tells of this error, so that this one need not."""
    return bool(vars(error).get(_TOLD))
