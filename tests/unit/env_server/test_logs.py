"""What a line of the log holds, and what it never does."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from env_server.observing import logs
from env_server.observing.logs import REQUEST_ID, say
from env_server.observing.settings import LogConfig

HOSTILE = "\x1b[31mred\x1b[0m \u202etxt.exe \x9b2J \r\nforged line"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    level, ours = root.level, {name: logging.getLogger(name).level for name in logs.OURS}
    yield io.StringIO()
    root.handlers = before
    root.setLevel(level)
    for name, was in ours.items():
        logging.getLogger(name).setLevel(was)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_holds_event_fields_and_request(stream: io.StringIO):
    logs.set_up(LogConfig(format="json"), stream)
    token = REQUEST_ID.set("r-1")
    say(logging.getLogger("env_server.x"), logging.INFO, "request", status=200, route=None)
    REQUEST_ID.reset(token)
    (line,) = lines(stream)
    assert line.pop("at", "").endswith("Z")
    assert line == {"level": "info", "event": "request", "logger": "env_server.x", "status": 200, "request_id": "r-1"}


@pytest.mark.parametrize("style", ["json", "console"])
def test_what_controls_a_terminal_does_not_reach_it(stream: io.StringIO, style: str):
    logs.set_up(LogConfig.model_validate({"format": style}), stream)
    say(logging.getLogger("env_server.x"), logging.WARNING, "limited", why=HOSTILE)
    said = stream.getvalue()
    assert said.count("\n") == 1
    assert not set(said.rstrip("\n")) & set("\x1b\u202e\x9b\r\n")


@pytest.mark.parametrize("style", ["json", "console"])
def test_the_message_of_an_exception_is_not_logged(stream: io.StringIO, style: str):
    logs.set_up(LogConfig.model_validate({"format": style}), stream)
    try:
        "SECRET-\ud800".encode()
    except UnicodeEncodeError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\nSECRET")
    said = stream.getvalue()
    assert "SECRET" not in said
    assert "UnicodeEncodeError" in said
    assert "test_logs.py:" in said


def test_of_a_line_by_others_the_first_is_kept(stream: io.StringIO):
    logs.set_up(LogConfig(format="json"), stream)
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=E('SECRET')>")
    assert lines(stream)[0]["event"] == "Task exception was never retrieved"


def test_a_field_is_as_long_as_a_line_may_be(stream: io.StringIO):
    logs.set_up(LogConfig(format="json"), stream)
    say(logging.getLogger("env_server.x"), logging.WARNING, "limited", why="x" * 1_000_000)
    assert len(stream.getvalue()) < 1000


def test_only_what_is_as_grave_as_configured_is_said(stream: io.StringIO):
    logs.set_up(LogConfig(level="warning"), stream)
    say(logging.getLogger("env_server.x"), logging.INFO, "hidden")
    logging.getLogger("httpx").info("GET https://user:password@example.org")
    say(logging.getLogger("env_server.x"), logging.ERROR, "not ready")
    assert "hidden" not in stream.getvalue()
    assert "password" not in stream.getvalue()
    assert "not ready" in stream.getvalue()
