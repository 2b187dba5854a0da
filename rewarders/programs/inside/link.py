"""The tests' end of the link to the candidate. What arrives was written by an opponent: it is data or it is the end."""

import builtins
import gc
import socket
import threading
import time
from collections.abc import Callable
from types import FunctionType, GeneratorType, MethodType
from typing import Any

from .attempt import Attempt
from .crossing import MESSAGE_CHARS, NotPlain, decode, dumps, encode, loads
from .strict import received

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_NAMES, MAX_NAME_CHARS = 64, 200


class CandidateError(Exception):
    """An exception of the candidate's own type; subclasses carry the name."""


class CandidateLeft(BaseException):
    """The candidate tried to leave, or is gone. No test may take that for the error it expects."""


class Uncrossable(BaseException):
    """The tests ask for what plain data cannot carry. Nothing can be said about the candidate."""


class Link:
    """One question at a time across the socket."""

    def __init__(self, link: socket.socket, patience_s: float, handle: "Callable[[Link, int], Any]") -> None:
        """A link over a connected socket.

        Args:
            link: the socket.
            patience_s: how long one answer may take.
            handle: makes what stands for a value that stays with the candidate.
        """
        self._socket, self._patience_s, self._handle = link, patience_s, handle
        self._classes: dict[str, type[Exception]] = {}
        self._handles: dict[int, Any] = {}
        self._raised: list[BaseException] = []
        self._one_at_a_time = threading.Lock()
        self.asked = 0
        """How many questions were asked."""
        self.gone: str | None = None
        """Why nothing more can be asked: `silent`, `closed` or `garbled`."""
        self.uncrossable: str | None = None
        """What the tests wanted and plain data cannot carry."""

    def load(self, path: str) -> None:
        """Let the candidate load its module. Raises what that raises."""
        self._exchange({"number": 0, "operation": "load", "path": path})

    def ask(self, operation: str, target: int, *arguments: Any) -> Any:
        """Have one thing done. Raises what the candidate raises."""
        sent = [self._outgoing(argument, operation) for argument in arguments]
        with self._one_at_a_time:  # the tests may have threads
            self.asked += 1
            return self._exchange({"number": self.asked, "operation": operation, "target": target, "arguments": sent})

    def refuse(self, what: str) -> Uncrossable:
        """Note what the tests wanted, for the verdict, whatever they make of the exception."""
        self.uncrossable = self.uncrossable or what
        return Uncrossable(what)

    def is_candidates(self, error: BaseException | None) -> bool:
        """Whether the exception came from the candidate, or from its leaving."""
        return isinstance(error, CandidateLeft) or any(error is raised for raised in self._raised)

    def _outgoing(self, value: Any, operation: str) -> Any:
        try:
            return encode(value, self._referred)
        except NotPlain as error:
            what = f"the tests give a value of type {error} to '{operation}'"
            raise self.refuse(f"{what}; only plain data crosses to the candidate") from None

    def _referred(self, value: Any) -> Any:
        number = getattr(type(value), "assay_number", None)
        if number is not None:
            return {"$handle": number(value)}
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"$exception": value.__name__}
        if isinstance(value, BaseException):
            return {"$error": [_lineage(type(value)), encode(list(value.args), self._referred)]}
        if isinstance(value, slice):
            return {"$slice": encode([value.start, value.stop, value.step], self._referred)}
        if _is_taken_from_candidates(value):
            raise TypeError("no method, view or iterator of the candidate's data can be given back to it")
        raise NotPlain(type(value).__name__)

    def _exchange(self, request: dict[str, Any]) -> Any:
        data = dumps(request)
        error: BaseException | None = None
        value = None
        try:
            if self.gone is None:
                value, error = self._understood(self._answered(data), request)
        except TimeoutError:
            self.gone = "silent"
        except (OSError, EOFError):
            self.gone = "closed"
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
            self.gone = "garbled"
        if self.gone is not None:
            raise CandidateLeft(self.gone)
        if error is not None:
            self._raised.append(error)
            raise error
        return value

    def _understood(self, reply: dict[str, Any], request: dict[str, Any]) -> tuple[Any, BaseException | None]:
        if reply["number"] != request["number"]:
            raise ValueError("an answer to another question")
        if "raised" in reply:
            names = _names(reply["raised"])
            if "StopIteration" in names and request["operation"] != "next":
                names = ["RuntimeError"]  # as in a generator: else it would end whatever loop it came out of
            arguments = decode(reply.get("arguments", []))
            _remember(arguments)
            return None, self._error(names, str(reply["message"]), arguments)
        value = decode(reply["value"], self._incoming)
        _remember(value)
        return value, None

    def _incoming(self, tag: str, inner: Any) -> Any:
        if tag == "$handle" and type(inner) is int:
            return self._handles.setdefault(inner, self._handle(self, inner))  # the same one for `is`
        if tag == "$exception":
            return self._class(_names(inner)) or CandidateLeft
        raise ValueError("not plain data, and no handle")

    def _error(self, names: list[str], message: str, arguments: list[Any]) -> BaseException:
        kind = self._class(names)
        if kind is None:
            return CandidateLeft(names[0])
        for given in (arguments, [message]):
            with Attempt():
                error = kind(*given)
                if str(error)[:MESSAGE_CHARS] == message or given is not arguments:
                    return error
        made: type[BaseException] = type(names[0], (CandidateError,), {})
        return made(message)  # for a built-in that takes more than a message

    def _class(self, names: list[str]) -> type[Exception] | None:
        """The class of that lineage, the same each time; None for what only `except BaseException` would catch."""
        known = [getattr(builtins, name, None) for name in names]
        bases = [kind for kind in known if isinstance(kind, type) and issubclass(kind, BaseException)]
        if not bases or not issubclass(bases[0], Exception):
            return None
        made: type[Exception] = bases[0]
        own = names[: known.index(made)]
        for name in reversed(own):
            above = (made,) if issubclass(made, CandidateError) else (CandidateError, made)
            above = (CandidateError,) if made is Exception else above
            made = self._classes.setdefault(name, type(name, above, {}))
        return made

    def _answered(self, data: bytes) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience_s
        self._socket.settimeout(self._patience_s)
        self._socket.sendall(len(data).to_bytes(4, "big") + data)
        size = int.from_bytes(self._read(4, deadline), "big")
        if size > MAX_FRAME_BYTES:
            raise ValueError("too large a frame")
        return loads(self._read(size, deadline))  # type: ignore[no-any-return]

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(left_s)
            part = self._socket.recv(min(size - len(data), 1 << 20))
            if not part:
                raise EOFError
            data += part
        return bytes(data)


def _names(given: Any) -> list[str]:
    if type(given) is not list or not 0 < len(given) <= MAX_NAMES:
        raise ValueError("not the lineage of an exception")
    if not all(type(name) is str for name in given):
        raise ValueError("not the name of an exception")
    return [name if name.isidentifier() and len(name) <= MAX_NAME_CHARS else "Unnamed" for name in given]


def _lineage(kind: type[BaseException]) -> list[str]:
    return [base.__name__ for base in kind.__mro__ if base is not object]


def _is_taken_from_candidates(value: Any) -> bool:
    """Whether it is a method, a view or an iterator of what the candidate gave, or an attribute of an exception.

    Where an object is wanted, a candidate that gives such a thing must not make the tests look wrong.
    """
    if type(value).__module__ != "builtins" or isinstance(value, FunctionType | GeneratorType | MethodType):
        return False
    return any(id(part) in received or _is_exception(part) for part in gc.get_referents(value))


def _is_exception(part: Any) -> bool:
    return isinstance(part, BaseException) or (isinstance(part, type) and issubclass(part, BaseException))


def _remember(value: Any) -> None:
    """Note what is the candidate's, but for what is too small to matter."""
    if type(value) in (float, str, list, tuple, dict, set, frozenset):
        received[id(value)] = value
    if type(value) is dict:
        for key, item in value.items():
            _remember(key)
            _remember(item)
    elif type(value) in (list, tuple, set, frozenset):
        for item in value:
            _remember(item)
