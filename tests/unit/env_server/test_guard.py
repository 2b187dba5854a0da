"""What is let in to the routes, and what is answered before they see it."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from env_server.config import load_config
from env_server.keys.errors import Unauthorized
from env_server.keys.exposure import allowed_hosts, require_keys_outside_loopback
from env_server.keys.guard import NOBODY, Guard
from env_server.keys.secret import new_secret
from env_server.principal import ANYONE, Principal
from env_server.serving_settings import ServerConfig
from rewarders.errors import ConfigError

KEY = "asy_" + "7Guarded" * 5 + "abc"
HOLDER = Principal(tenant="acme", key_id=KEY[:12])
LOOPBACK = allowed_hosts(ServerConfig())
HOST = (b"host", b"127.0.0.1:8080")
BEARER = (b"authorization", f"Bearer {KEY}".encode())


class OneKey:
    """Knows one key."""

    async def holder(self, secret: str) -> Principal:
        if secret != KEY:
            raise Unauthorized("the key is not known")
        return HOLDER


@dataclass
class Asked:
    """What came of one request."""

    status: int = 200
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    principal: Principal | None = None
    """Of a request that reached the routes."""


def ask(
    *headers: tuple[bytes, bytes],
    method: str = "POST",
    path: str = "/v1/score",
    query: bytes = b"",
    http: str = "1.1",
    hosts: frozenset[str] | None = LOOPBACK,
    keys: Any = None,
) -> Asked:
    asked = Asked()

    async def routes(scope: Any, _receive: Any, _send: Any) -> None:
        asked.principal = scope["state"]["principal"]

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            asked.status, asked.headers = message["status"], dict(message["headers"])
        asked.body += message.get("body", b"")

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {
        "type": "http", "http_version": http, "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query, "headers": list(headers),
    }  # fmt: skip
    asyncio.run(Guard(routes, hosts, keys)(scope, receive, send))  # type: ignore[arg-type]
    return asked


def refused(asked: Asked, status: int) -> None:
    assert (asked.status, asked.principal) == (status, None)
    assert asked.headers[b"content-type"] == b"application/problem+json"
    assert json.loads(asked.body)["status"] == status


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]:8080", "localhost."]
)
def test_a_service_on_loopback_is_asked_by_loopbacks_names(host: str):
    assert ask((b"host", host.encode())).principal is ANYONE


@pytest.mark.parametrize(
    "host",
    ["rebound.example", "localhost.rebound.example", "127.0.0.1.rebound.example:8080", "127.0.0.1@rebound.example",
     "rebound.example#127.0.0.1", "", "[::1", "127.0.0.1, rebound.example", "2130706433", "0x7f.1"],
)  # fmt: skip
def test_a_name_that_was_rebound_to_loopback_is_refused(host: str):
    asked = ask((b"host", host.encode()))
    refused(asked, 421)
    assert b"rebound" not in asked.body


@pytest.mark.parametrize("headers", [[], [HOST, HOST], [HOST, (b"host", b"rebound.example")]])
def test_no_host_and_two_hosts_are_refused(headers: list[tuple[bytes, bytes]]):
    refused(ask(*headers), 400)


def test_http_1_0_needs_no_host():
    assert ask(http="1.0").principal is ANYONE
    refused(ask((b"host", b"rebound.example"), http="1.0"), 421)


def test_hosts_that_are_configured_are_answered_beside_loopbacks():
    hosts = allowed_hosts(ServerConfig(host="10.0.0.7", hosts=("Rewards.Example",)))
    for host in (b"rewards.example:443", b"10.0.0.7:8080", b"localhost"):
        assert ask((b"host", host), hosts=hosts).principal is ANYONE
    refused(ask((b"host", b"other.example"), hosts=hosts), 421)


def test_outside_loopback_any_name_will_do_where_none_is_configured():
    assert allowed_hosts(ServerConfig(host="0.0.0.0")) is None
    assert ask((b"host", b"whatever.example"), hosts=None).principal is ANYONE


BROWSERS = {
    "another origin": [(b"origin", b"http://elsewhere.example")],
    "an origin on another port": [(b"origin", b"http://127.0.0.1:3000")],
    "an origin that is null": [(b"origin", b"null")],
    "two origins": [(b"origin", b"http://127.0.0.1:8080"), (b"origin", b"http://127.0.0.1:8080")],
    "cross-site": [(b"sec-fetch-site", b"cross-site")],
    "same-site": [(b"sec-fetch-site", b"same-site")],
    "one of two": [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")],
}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "post"])
@pytest.mark.parametrize("name", BROWSERS)
def test_a_page_of_somebody_elses_changes_nothing(name: str, method: str):
    refused(ask(HOST, *BROWSERS[name], method=method), 403)
    refused(ask(HOST, BEARER, *BROWSERS[name], method=method, keys=OneKey()), 403)


@pytest.mark.parametrize(
    "headers", [[], [(b"origin", b"http://127.0.0.1:8080"), (b"sec-fetch-site", b"same-origin")],
                [(b"sec-fetch-site", b"none")]]
)  # fmt: skip
def test_our_own_page_and_whoever_is_no_browser_may(headers: list[tuple[bytes, bytes]]):
    assert ask(HOST, *headers).principal is ANYONE


def test_a_key_lets_its_holder_in():
    assert ask(HOST, BEARER, keys=OneKey()).principal is HOLDER
    assert ask(HOST, (b"authorization", f"bEARER   {KEY} ".encode()), keys=OneKey()).principal is HOLDER


def basic(text: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + base64.b64encode(text.encode())


BAD_CREDENTIALS = {
    "nothing": [],
    "an empty bearer": [(b"authorization", b"Bearer ")],
    "no scheme": [(b"authorization", KEY.encode())],
    "an empty header": [(b"authorization", b"")],
    "another scheme": [(b"authorization", f"Token {KEY}".encode())],
    "another key": [(b"authorization", f"Bearer {new_secret()}".encode())],
    "a key and more": [(b"authorization", f"Bearer {KEY} {KEY}".encode())],
    "two keys in one": [(b"authorization", f"Bearer {KEY}, Bearer {KEY}".encode())],
    "bytes that are no text": [(b"authorization", b"Bearer \xff\xfe")],
    "10 kB": [(b"authorization", b"Bearer " + b"a" * 10_000)],
    "basic where a header can be sent": [basic(f"any:{KEY}")],
}


@pytest.mark.parametrize("name", BAD_CREDENTIALS)
@pytest.mark.parametrize("path", ["/v1/score", "/nowhere", "/openapi.json", "/metrics", "/healthz/", "//readyz"])
def test_without_a_good_key_nothing_is_reached(name: str, path: str):
    asked = ask(HOST, *BAD_CREDENTIALS[name], path=path, keys=OneKey())
    refused(asked, 401)
    assert asked.headers[b"www-authenticate"] == b"Bearer"
    assert KEY.encode() not in asked.body


def test_two_authorizations_are_refused_even_if_both_are_good():
    refused(ask(HOST, BEARER, BEARER, keys=OneKey()), 400)


@pytest.mark.parametrize("query", [f"key={KEY}", f"a=1&token={KEY}&b", KEY, f"x=%20{KEY}", KEY.replace("_", "%5F")])
@pytest.mark.parametrize("headers", [[], [BEARER]])
def test_a_key_in_the_address_is_refused_whoever_asks(query: str, headers: list[tuple[bytes, bytes]]):
    asked = ask(HOST, *headers, query=query.encode(), keys=OneKey())
    refused(asked, 400)
    assert KEY.encode() not in asked.body


def test_a_run_that_is_only_called_like_a_key_is_no_key():
    assert ask(HOST, BEARER, query=b"run=asy_short", keys=OneKey()).principal is HOLDER


@pytest.mark.parametrize("path", ["/openrlhf/math.v1/get_reward", "/slime/math.v1", "/nemo-gym/math.v1/verify"])
def test_clients_that_have_only_an_address_bring_their_key_as_a_password(path: str):
    assert ask(HOST, basic(f"any:{KEY}"), path=path, keys=OneKey()).principal is HOLDER
    for wrong in (basic(f"{KEY}:"), basic(f":{new_secret()}"), (b"authorization", b"Basic %%%"), basic(KEY)):
        refused(ask(HOST, wrong, path=path, keys=OneKey()), 401)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whoever_asks_for_health_needs_no_key_and_has_no_scope(path: str):
    assert ask(HOST, method="GET", path=path, keys=OneKey()).principal is NOBODY
    assert ask(HOST, BEARER, method="GET", path=path, keys=OneKey()).principal is HOLDER
    refused(ask(HOST, *BAD_CREDENTIALS["another key"], method="GET", path=path, keys=OneKey()), 401)
    assert not NOBODY.scopes


def test_without_keys_whoever_sends_one_is_anyone():
    assert ask(HOST, BEARER).principal is ANYONE


def test_a_websocket_is_closed():
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def routes(*_: Any) -> None:
        pytest.fail("it got in")

    guard = Guard(routes, LOOPBACK, None)
    asyncio.run(guard({"type": "websocket", "headers": [], "path": "/v1/score"}, routes, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "rewards.example", ""])
def test_a_service_without_keys_does_not_listen_outside_loopback(host: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="outside loopback") as refused:
        require_keys_outside_loopback(load_config(None, {"server.host": host}))
    assert "[keys]" in refused.value.hint
    with_keys = tmp_path / "keys.toml"
    with_keys.write_text("[keys]\nenabled = true\n")
    require_keys_outside_loopback(load_config(with_keys, {"server.host": host}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_a_service_without_keys_listens_on_loopback(host: str):
    require_keys_outside_loopback(load_config(None, {"server.host": host}))


def test_keys_without_a_ledger_have_no_place(tmp_path: Path):
    path = tmp_path / "server.toml"
    path.write_text("[keys]\nenabled = true\n[ledger]\nenabled = false\n")
    with pytest.raises(ConfigError, match=r"keys\.enabled needs ledger\.enabled"):
        load_config(path, {})
