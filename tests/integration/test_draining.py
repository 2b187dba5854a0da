"""SIGTERM: the service says that it leaves, refuses what is new, finishes what is under way, and closes its ledger."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from raw_items import raw_item
from watched_runs import until

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.ledger.place import Place

Server = Any
LEAVES_THREADS = '''
import asyncio
import time

from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder
from rewarders.tools import Tools


@rewarder("acme.threads", version="1.0")
async def threads(completion: Completion, reference: None, params: BaseModel, tools: Tools) -> Verdict:
    """Wait in a thread for what never comes."""
    await asyncio.to_thread(time.sleep, 3600)
    return Verdict(score=1.0, reason="done")
'''
SLEEPY = {"items": [raw_item("sleep", "obeys.v1")]}
QUICK = {"items": [raw_item("four")]}


@pytest.fixture
def serve(make_server: Callable[..., Server], server_toml: str) -> Callable[[str, str], Server]:
    """A server with these settings of [server] and of [workers]."""

    def started(server: str, workers: str) -> Server:
        toml = server_toml.replace("[server]", f"[server]\n{server}").replace("[workers]", f"[workers]\n{workers}")
        return make_server(toml=toml)

    return started


@contextmanager
def under_way(url: str) -> Iterator[list[httpx.Response | httpx.TransportError]]:
    """A request whose rewarder sleeps; its answer is in the list behind the block."""
    answers: list[httpx.Response | httpx.TransportError] = []

    def ask() -> None:
        try:
            answers.append(httpx.post(f"{url}/v1/score", json=SLEEPY, timeout=60))
        except httpx.TransportError as error:
            answers.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: "assay_http_requests 2.0" in httpx.get(f"{url}/metrics").text)  # it, and this one
    yield answers
    asking.join()


def left(server: Server) -> int:
    """The exit code of one that has been told to leave."""
    code: int = server.process.wait(timeout=30)
    return code


def test_what_is_new_is_refused_at_once_and_what_is_under_way_is_answered(serve: Callable[[str, str], Server]):
    server = serve("", "call_timeout_s = 4")
    with under_way(server.url) as answers, httpx.Client(base_url=server.url) as client:
        assert client.get("/readyz").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        refused = client.post("/v1/score", json=QUICK)
        assert (refused.status_code, refused.headers["retry-after"], refused.headers["connection"]) == (
            503,
            "1",
            "close",
        )
        assert refused.headers["content-type"] == "application/problem+json"
        assert "is being stopped" in refused.json()["detail"]
        assert client.get("/readyz").json()["detail"] == refused.json()["detail"]
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").status_code == 200
    assert left(server) == 0
    (answer,) = answers
    assert isinstance(answer, httpx.Response)
    assert answer.json()["items"][0]["fault"]["kind"] == "RewarderFault"


def test_for_the_moment_that_a_load_balancer_needs_requests_are_served_still(serve: Callable[[str, str], Server]):
    server = serve("drain_s = 3", "")
    with httpx.Client(base_url=server.url) as client:
        assert "connection" not in client.post("/v1/score", json=QUICK).headers
        server.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        served = client.post("/v1/score", json=QUICK)
    assert (served.status_code, served.headers["connection"]) == (200, "close")
    assert left(server) == 0


def test_a_request_that_does_not_end_in_time_is_not_waited_for(serve: Callable[[str, str], Server]):
    server = serve("finish_s = 0.3", "call_timeout_s = 1000")
    with under_way(server.url) as answers:
        assert server.stop() == 0
    (answer,) = answers
    assert isinstance(answer, httpx.Response)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), "whoever asks again may be answered"


def test_a_second_signal_ends_it_at_once_and_the_ledger_verifies(serve: Callable[[str, str], Server]):
    server = serve("finish_s = 1000", "call_timeout_s = 1000")
    httpx.post(f"{server.url}/v1/score", json=QUICK)
    with under_way(server.url):
        server.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        assert server.stop() == 128 + signal.SIGTERM
    verified = verify(DatabaseSource(Place(server.data_dir)), processes=1)
    assert (verified.findings, verified.records) == ((), 1)


def test_what_was_answered_is_signed_when_it_has_left(serve: Callable[[str, str], Server]):
    server = serve("", "")
    for _ in range(3):
        httpx.post(f"{server.url}/v1/score", json=QUICK)
    assert server.stop() == 0
    verified = verify(DatabaseSource(Place(server.data_dir)), processes=1)
    (tree,) = verified.trees
    signed = (server.data_dir / "writers/1/checkpoint").read_text().splitlines()[1]
    assert (verified.records, tree.size, int(signed)) == (3, 3, 3)


def test_a_thread_that_never_ends_does_not_keep_it(
    make_server: Callable[..., Server], server_toml: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "leaves_threads.py").write_text(LEAVES_THREADS)
    own = server_toml.replace('"odd_rewarders"]', '"leaves_threads"]')
    rubric = '[rubrics."threads.v1"]\nparts = [{ rewarder = "acme.threads" }]\n[calls]\ntimeout_s = 0.5\n'
    server = make_server(toml=own.partition("[rubrics")[0] + rubric)
    scored = httpx.post(f"{server.url}/v1/score", json={"items": [raw_item("x", "threads.v1")]}, timeout=60)
    assert scored.json()["items"][0]["fault"]["retryable"]
    assert server.stop() == 0
    assert "threads were left behind" in capfd.readouterr().err
    verified = verify(DatabaseSource(Place(server.data_dir)), processes=1)
    assert (verified.findings, verified.records) == ((), 1)
