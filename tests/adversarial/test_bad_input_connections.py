"""Bytes on the wire that no client library would send: answered or hung up on, and others are served meanwhile."""

import contextlib
import json
import socket
import time

import httpx
import pytest
from raw_items import raw_item
from targets import Target

CANARY = b"canary8f3a"
BODY = json.dumps({"items": [raw_item("x" * 50)]}).encode()
PATIENCE_S = 20.0


def sent(target: Target, data: bytes, *, finish: bool = False) -> bytes:
    """Everything that is answered until the other end hangs up, or has said nothing more for a second.

    With `finish` nothing comes after the data, which the other end may take for hanging up, and answer nothing.
    """
    with socket.create_connection(target.address, timeout=PATIENCE_S) as connection:
        connection.sendall(data)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        said = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := connection.recv(65_536):
                said += piece
                connection.settimeout(1.0)
        return said


def request(target: Target, *lines: str, method: str = "POST", path: str = "/v1/score", http: str = "1.1") -> bytes:
    """The head of a request with these headers and what lets it in; one with `host` in it brings its own."""
    named = any(line.lower().startswith("host:") for line in lines)
    host = [] if named else ["host: localhost"]
    brought = [f"{name}: {value}" for name, value in target.headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/{http}", *host, *brought, *lines, "", ""]).encode()


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1])


def unharmed(target: Target) -> None:
    (scored,) = target.client.post("/v1/score", content=BODY, headers={"content-type": "application/json"}).json()[
        "items"
    ]
    assert scored["reward"] == 0.5


JSON = "content-type: application/json"
LENGTH = f"content-length: {len(BODY)}"
SMUGGLED = b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\n\r\n"
BAD = {
    "two lengths": ([JSON, LENGTH, f"content-length: {len(BODY) + 1}"], BODY),
    "a length and chunks": ([JSON, LENGTH, "transfer-encoding: chunked"], b"0\r\n\r\n" + SMUGGLED),
    "chunks that are not": ([JSON, "transfer-encoding: chunked, identity"], BODY),
    "a negative length": ([JSON, "content-length: -1"], BODY),
    "a length of +1": ([JSON, "content-length: +1"], b"{"),
    "a length in hexadecimal": ([JSON, "content-length: 0x10"], BODY),
    "a length of 10^30": ([JSON, f"content-length: {10**30}"], BODY),
    "a chunk of negative size": ([JSON, "transfer-encoding: chunked"], b"-1\r\n" + BODY),
    "a chunk of 2^64": ([JSON, "transfer-encoding: chunked"], b"ffffffffffffffffff\r\n" + BODY),
    "a folded header": ([JSON, "x-a: b\r\n c", LENGTH], BODY),
    "a space before the colon": (["content-type : application/json", LENGTH], BODY),
    "a header without a name": ([": x", JSON, LENGTH], BODY),
    "a header with a NUL": ([JSON, "x-a: b\0c", LENGTH], BODY),
    "70 kB of a header": ([JSON, "x-a: " + "a" * 70_000, LENGTH], BODY),
    "5,000 headers": ([JSON, *(f"x-{n}: {n}" for n in range(5000)), LENGTH], BODY),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_can_be_read_two_ways_is_never_a_failure_of_ours(target: Target, name: str):
    lines, body = BAD[name]
    said = sent(target, request(target, *lines) + body, finish=True)
    if said:
        assert 200 <= status(said) < 500, said[:200]
        assert said.count(b"HTTP/1.1 200") <= 1
    unharmed(target)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["host: localhost", "host: localhost"], 400),
        (["host: localhost", f"host: {CANARY.decode()}.example"], 400),
        ([f"host: {CANARY.decode()}.example"], 421),
        (["host: "], 421),
        (["authorization: Bearer a", "authorization: Bearer b"], None),
    ],
)
def test_what_may_be_there_once_is_refused_twice(target: Target, lines: list[str], expected: int | None):
    said = sent(target, request(target, *lines, JSON, LENGTH) + BODY)
    keyed = bool(target.headers)
    assert status(said) == (expected or (400 if keyed else 200))
    assert CANARY not in said


def test_a_request_without_a_host_is_refused(target: Target):
    brought = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    said = sent(target, f"GET /healthz HTTP/1.1\r\n{brought}\r\n".encode())
    assert status(said) == 400
    said = sent(target, f"GET /healthz HTTP/1.0\r\n{brought}\r\n".encode())
    assert status(said) == 200


def test_an_address_with_a_host_in_it_is_asked_of_us_or_of_nobody(target: Target):
    for host, statuses in (("localhost", {200, 404}), (f"{CANARY.decode()}.example", {421})):
        line = request(target, f"host: {host}", method="GET", path=f"http://{CANARY.decode()}.example/healthz")
        said = sent(target, line)
        assert status(said) in statuses
        assert CANARY not in said


@pytest.mark.parametrize(
    "data",
    [b"\r\n" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 1000,
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/9.9\r\nhost: localhost\r\n\r\n", b"A" * 100_000,
     b"GET /healthz HTTP/1.1\nhost: localhost\n\n", b"BREW /pot HTTP/1.1\r\nhost: localhost\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_hung_up_on(target: Target, data: bytes):
    said = sent(target, data, finish=True)
    assert not said or 200 <= status(said) < 500
    unharmed(target)


def test_a_body_a_byte_a_second_is_given_up_and_others_are_served_meanwhile(target: Target):
    head = request(target, JSON, LENGTH)
    with socket.create_connection(target.address, timeout=PATIENCE_S) as slow:
        slow.sendall(head + BODY[:1])
        unharmed(target)
        said = slow.recv(65_536)
    assert status(said) == 408
    assert b"application/problem+json" in said


def test_a_body_that_ends_early_is_no_request(target: Target):
    said = sent(target, request(target, JSON, LENGTH) + BODY[:10], finish=True)
    assert not said or status(said) == 400
    unharmed(target)


def test_clients_that_hang_up_in_the_middle_leave_nothing_behind(target: Target):
    item = json.dumps({"items": [raw_item("sleep", "obeys.v1")]}).encode()
    head = request(target, JSON, f"content-length: {len(item)}")
    for cut in (head[:20], head, head + item[:10], head + item):
        with socket.create_connection(target.address, timeout=PATIENCE_S) as connection:
            connection.sendall(cut)
    unharmed(target)
    deadline = time.monotonic() + 90
    while target.client.get("/readyz").json()["workers"]["workers"]["waiting"]:
        assert time.monotonic() < deadline, "a job that nobody waits for still waits"
        time.sleep(0.2)


def test_a_thousand_requests_on_one_connection_are_answered_in_order(target: Target):
    one = request(target, method="GET", path="/healthz")
    two = request(target, method="GET", path="/nowhere")
    with socket.create_connection(target.address, timeout=PATIENCE_S) as connection:
        connection.sendall((one + two) * 500)
        said = b""
        while said.count(b"HTTP/1.1 ") < 1000 or not said.endswith(b"}"):
            piece = connection.recv(65_536)
            assert piece, said[-500:]
            said += piece
    statuses = [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404] * 500


def test_http_1_0_and_expect_continue_are_answered(target: Target):
    old = sent(target, request(target, JSON, LENGTH, http="1.0") + BODY)
    assert status(old) == 200
    with socket.create_connection(target.address, timeout=PATIENCE_S) as connection:
        connection.sendall(request(target, JSON, LENGTH, "expect: 100-continue"))
        first = connection.recv(65_536)
        assert status(first) == 100
        connection.sendall(BODY)
        assert status(connection.recv(65_536)) == 200


def test_an_upgrade_leads_nowhere(target: Target):
    for protocol in ("websocket", "h2c", "TLS/1.0"):
        lines = ["connection: upgrade", f"upgrade: {protocol}", "sec-websocket-version: 13",
                 "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=="]  # fmt: skip
        said = sent(target, request(target, *lines, method="GET", path="/v1/nowhere"))
        assert not said or 400 <= status(said) < 500
    unharmed(target)


def test_connections_that_say_nothing_take_no_place_from_those_that_do(target: Target):
    with contextlib.ExitStack() as idle:
        for _ in range(200):
            idle.enter_context(socket.create_connection(target.address, timeout=PATIENCE_S))
        unharmed(target)
        with httpx.Client(base_url=target.url, headers=target.headers) as client:
            assert client.get("/readyz").status_code == 200
