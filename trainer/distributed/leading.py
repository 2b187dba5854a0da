"""What rank 0 does for all: the others get its result, or its error, and help where it asks them to.

Work of one rank may need the others in its middle, as when weights are gathered from their shards. It calls `announced`
with the name of what is to be done; every rank has said beforehand what it does under that name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from rewarders.errors import AssayError
from trainer.distributed.ranks import broadcast, count, leads
from trainer.distributed.telling import mark_as_told
from trainer.stopwatch import Phase, phase

T = TypeVar("T")


_ANYTHING: tuple[str, Any] = ("", None)
"""What a rank that listens puts in: nobody reads it."""


class _Helpers:
    """By name, what a rank does when rank 0 announces it; and whether one such thing was left unfinished."""

    def __init__(self) -> None:
        self.known: dict[str, Callable[..., object]] = {}
        self.broken_off = False


_helpers = _Helpers()


@contextmanager
def helping(name: str, help_with: Callable[..., object]) -> Iterator[None]:
    """Within the block, this is what other ranks than 0 do when `name` is announced."""
    _helpers.known[name] = help_with
    try:
        yield
    finally:
        del _helpers.known[name]


@contextmanager
def announced(name: str, *arguments: Any) -> Iterator[None]:
    """On rank 0, within `led`: the block and what the others do under `name` are parts of one thing."""
    if count() > 1:
        broadcast(("help", (name, arguments)))
    _helpers.broken_off = True
    yield
    _helpers.broken_off = False


def led(work: Callable[[], T]) -> T:
    """Run this on rank 0 alone; its result is that of every rank.

    Raises:
        AssayError: whatever the work raised, on every rank.
    """
    if count() == 1:
        return work()
    return _lead(work) if leads() else _follow()


def _lead(work: Callable[[], T]) -> T:
    try:
        result = work()
    except AssayError as error:
        if not _helpers.broken_off:  # otherwise the others are in the midst of something, and learn it by our end
            broadcast(("raised", (type(error), error.args, vars(error))))
        raise
    broadcast(("done", result))
    return result


def _follow() -> Any:
    while True:
        with phase(Phase.IDLE):
            kind, told = broadcast(_ANYTHING)
        if kind == "done":
            return told
        if kind == "raised":
            raise _rebuilt(*told)
        name, arguments = told
        _helpers.known[name](*arguments)


def _rebuilt(kind: type[AssayError], arguments: tuple[Any, ...], state: dict[str, Any]) -> AssayError:
    """The error as it was: constructors take other arguments than an error keeps, so they are not called."""
    error = kind.__new__(kind, *arguments)
    vars(error).update(state)
    mark_as_told(error)
    return error
