"""What surrounds a request: its id, its route, its status."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from env_server.observing.logs import REQUEST_ID
from env_server.observing.metrics import Metrics
from env_server.observing.requests import WatchRequests

Message = dict[str, Any]


async def answers(scope: Any, _receive: Any, send: Any) -> None:
    scope["route"] = SimpleNamespace(path="/v1/records/{record_id}")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": (REQUEST_ID.get() or "").encode()})


async def never_begins(*_: Any) -> None:
    """The client went away."""


async def breaks(*_: Any) -> None:
    raise ValueError("SECRET")


def asked(app: Any, metrics: Metrics, *headers: tuple[bytes, bytes], method: str = "GET") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        scope = {"type": "http", "method": method, "path": "/v1/records/SECRET", "headers": list(headers)}
        await WatchRequests(app, metrics)(scope, never_begins, send)  # type: ignore[arg-type]

    asyncio.run(run())
    return sent


def request_id(sent: list[Message]) -> bytes:
    (found,) = [value for name, value in sent[0]["headers"] if name == b"x-request-id"]
    assert sent[1]["body"] == found
    return bytes(found)


def count(metrics: Metrics, route: str, status: str) -> float | None:
    labels = {"method": "GET", "route": route, "status": status}
    return metrics.registry.get_sample_value("assay_http_request_duration_seconds_count", labels)


def test_an_id_that_is_sent_comes_back():
    assert request_id(asked(answers, Metrics(), (b"x-request-id", b"step-137/a.b:c=@+_"))) == b"step-137/a.b:c=@+_"


@pytest.mark.parametrize("sent", [b"", b"a b", b"x" * 129, b"\x1b[31m", "\u202e".encode(), b'"}{', b"a\nb"])
def test_an_id_that_is_not_plain_is_replaced(sent: bytes):
    made = request_id(asked(answers, Metrics(), (b"x-request-id", sent)))
    assert len(made) == 32
    assert made.isalnum()


def test_of_two_ids_neither_is_taken():
    made = request_id(asked(answers, Metrics(), (b"x-request-id", b"one"), (b"x-request-id", b"two")))
    assert len(made) == 32


def test_a_request_is_counted_by_the_template_of_its_route():
    metrics = Metrics()
    asked(answers, metrics)
    assert count(metrics, "/v1/records/{record_id}", "200") == 1
    assert metrics.registry.get_sample_value("assay_http_requests") == 0


def test_an_answer_that_never_began_is_counted_as_such():
    metrics = Metrics()
    assert asked(never_begins, metrics) == []
    assert count(metrics, "", "499") == 1


def test_an_application_that_breaks_is_counted_and_leaves_nothing_behind():
    metrics = Metrics()
    with pytest.raises(ValueError, match="SECRET"):
        asked(breaks, metrics)
    assert count(metrics, "", "499") == 1
    assert metrics.registry.get_sample_value("assay_http_requests") == 0
    assert REQUEST_ID.get() is None
