"""Beside the candidate's code: does what the tests ask of it, one frame at a time, and answers with data.

The candidate can do what it likes with this process and with the socket. All that leaves is data, judged elsewhere.
A frame is its length in four bytes and JSON. What is not plain data stays here, under a number.
"""

import builtins
import operator
import os
from collections.abc import Callable
from typing import Any

from .attempt import Attempt
from .candidate_module import load
from .crossing import MESSAGE_CHARS, decode, dumps, encode, loads

LINK = 3

held: list[Any] = [None]
"""What the other side has a number for; 0 is the module."""
numbers: dict[int, int] = {}
exceptions: dict[str, type[BaseException]] = {}


def refer(value: Any) -> dict[str, Any]:
    """A number for a value that stays here; for an exception class what the other side needs to expect it."""
    if isinstance(value, type) and issubclass(value, BaseException):
        exceptions[value.__name__] = value
        return {"$exception": lineage(value)}
    if id(value) not in numbers:
        numbers[id(value)] = len(held)
        held.append(value)
    return {"$handle": numbers[id(value)]}


def resolve(tag: str, inner: Any) -> Any:
    """What a number, or the name of an exception, stands for."""
    if tag == "$handle":
        return held[inner]
    if tag == "$slice":
        return slice(*decode(inner, resolve))
    if tag == "$exception":
        return exceptions.get(inner) or getattr(builtins, inner)
    names, arguments = inner
    known = (exceptions.get(name) or getattr(builtins, name, None) for name in names)
    return next(filter(None, known))(*decode(arguments, resolve))


def lineage(kind: type[BaseException]) -> list[str]:
    """Names of a class and its bases."""
    return [base.__name__ for base in kind.__mro__ if base is not object]


def leave(target: Any, names: list[str], message: str) -> Any:
    """The end of a `with` block, told of an exception by its name."""
    kinds = [getattr(builtins, name) for name in names if hasattr(builtins, name)]
    error = kinds[0](message) if kinds else Exception(message) if names else None
    return type(target).__exit__(target, error and type(error), error, None)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "get": getattr,
    "set": setattr,
    "delete": delattr,
    "call": lambda target, args, kwargs: target(*args, **kwargs),
    "item": operator.getitem,
    "set_item": operator.setitem,
    "delete_item": operator.delitem,
    "len": len,
    "iter": iter,
    "next": next,
    "bool": bool,
    "str": str,
    "repr": repr,
    "is_instance": lambda kind, value: isinstance(value, kind),
    "enter": lambda target: type(target).__enter__(target),
    "leave": leave,
}


def perform(request: dict[str, Any]) -> dict[str, Any]:
    """Do one thing and say what came of it."""
    with Attempt() as attempt:
        target, arguments = held[request["target"]], decode(request["arguments"], resolve)
        return {"value": encode(OPERATIONS[request["operation"]](target, *arguments), refer)}
    return failure(attempt)


def failure(attempt: Attempt) -> dict[str, Any]:
    """An exception as data: the names of its type and what it says."""
    with Attempt() as telling:
        said = {"raised": lineage(type(attempt.error)), "message": str(attempt.error)[:MESSAGE_CHARS]}  # type: ignore[arg-type]
        with Attempt():
            said["arguments"] = encode(list(attempt.error.args))  # type: ignore[union-attr]
        return said
    return {"raised": [str(telling.raised)], "message": ""}


def receive() -> dict[str, Any]:
    """The next request."""
    return loads(read(int.from_bytes(read(4), "big")))  # type: ignore[no-any-return]


def read(size: int) -> bytes:
    """As many bytes; the end of the link is the end of the process."""
    parts = []
    while size:
        part = os.read(LINK, size)
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(reply: dict[str, Any]) -> None:
    """One frame."""
    data = dumps(reply)
    view = memoryview(len(data).to_bytes(4, "big") + data)
    while view:
        view = view[os.write(LINK, view) :]


def main() -> None:
    """Load the candidate, say how that went, then serve."""
    path = receive()["path"]
    with Attempt() as loading:
        held[0] = load(path)
    send({"number": 0, **({"value": None} if loading.raised is None else failure(loading))})
    while True:
        request = receive()
        send({"number": request["number"], **perform(request)})
