"""Another day: what reads the clock, moved before a plug-in is imported, so that one which minds the time is seen to.

Every way in which Python's own `time` and `datetime` tell the day; what asks the operating system itself is not moved.
"""

import ctypes
import datetime
import gc
import time
from collections.abc import Callable
from typing import Any

_NOW, _NOW_NS, _CLOCK, _CLOCK_NS = time.time, time.time_ns, time.clock_gettime, time.clock_gettime_ns


def move_the_clock(by_s: float) -> None:
    """For the rest of the process."""
    time.time = lambda: _NOW() + by_s
    time.time_ns = lambda: _NOW_NS() + int(by_s * 1e9)
    time.clock_gettime = lambda clock: _CLOCK(clock) + by_s * (clock == time.CLOCK_REALTIME)
    time.clock_gettime_ns = lambda clock: _CLOCK_NS(clock) + int(by_s * 1e9) * (clock == time.CLOCK_REALTIME)
    for name in ("gmtime", "localtime", "ctime"):
        setattr(time, name, _of_seconds(getattr(time, name)))
    time.asctime = _of_a_tuple(time.asctime)
    strftime = time.strftime
    time.strftime = lambda form, t=None: strftime(form, time.localtime() if t is None else t)
    _move_datetime()


def _of_seconds(original: Callable[[float], Any]) -> Callable[..., Any]:
    return lambda secs=None: original(time.time() if secs is None else secs)


def _of_a_tuple(original: Callable[[Any], str]) -> Callable[..., str]:
    return lambda t=None: original(time.localtime() if t is None else t)


def _move_datetime() -> None:
    """`today()` asks `time.time()`, these do not. The class stays the same object: much is derived from it."""

    def now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return cls.fromtimestamp(time.time(), tz)

    def utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
        return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    (attributes,) = gc.get_referents(datetime.datetime.__dict__)  # built-in classes refuse to be assigned to
    attributes.update(now=classmethod(now), utcnow=classmethod(utcnow))
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))
