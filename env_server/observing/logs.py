"""Logs that an operator can feed to a machine, and read in a terminal.

They hold no text of a task or a completion: our own lines are made of fields that never do, and of what others log
(uvicorn, asyncio) only the first line is kept and of an exception where it was raised: its message may quote anything.
"""

import json
import logging
import sys
import time
import traceback
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from env_server.observing.settings import LogConfig
from env_server.observing.tracing import trace_id
from env_server.terminal import printable

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered."""
OURS = ("env_server", "rewarders", "sandboxes")
_MOST_CHARS = 500
_MOST_FRAMES = 12


def say(logger: logging.Logger, level: int, event: str, **fields: Any) -> None:
    """Log an event. What the fields hold must not come from a task or a completion."""
    logger.log(level, event, extra={"fields": fields})


def set_up(config: LogConfig, stream: TextIO | None = None, process: int | None = None) -> None:
    """Log to standard error as configured, this process over; its number is on each line, where it has one."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((JsonLines if config.format == "json" else Console)(process))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(config.level.upper())


class _Lines(logging.Formatter):
    def __init__(self, process: int | None = None) -> None:
        super().__init__()
        self._process = process


class JsonLines(_Lines):
    """One JSON object a line, in ASCII: no escape sequence and no bidirectional control survives that."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return json.dumps(_fields(record, self._process), default=str)


class Console(_Lines):
    """For people: time, level, event, and what goes with it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = _fields(record, self._process)
        head = f"{fields.pop('at')} {fields.pop('level'):<7} {fields.pop('event')}"
        return printable(" ".join([head, *(f"{name}={value}" for name, value in fields.items())]))


def _fields(record: logging.LogRecord, process: int | None) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    fields = {
        "at": f"{moment}.{int(record.msecs):03d}Z",
        "level": record.levelname.lower(),
        "event": _bounded(record.getMessage().partition("\n")[0]),
        "logger": record.name,
        "process": process,
        **{name: _bounded(value) for name, value in getattr(record, "fields", {}).items()},
        "request_id": REQUEST_ID.get(),
        "trace_id": trace_id(),
    }
    if record.exc_info and record.exc_info[1]:
        error = record.exc_info[1]
        fields["exception"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
        fields["raised"] = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
    return {name: value for name, value in fields.items() if value is not None}


def _bounded(value: Any) -> Any:
    return value[:_MOST_CHARS] if isinstance(value, str) else value
