"""What the client asks again, and what it does not. The other end is a socket that answers as told."""

import asyncio

import pytest
from raw_items import raw_item
from scripted_endpoint import scripted_endpoint

from env_server.client import AsyncRewardClient, RequestRefused, RewardClient, ServiceUnreachable, _headers
from env_server.schemas import Item, ScoreResponse
from rewarders.errors import ConfigError

ITEMS = [Item.model_validate(raw_item("x"))]
HANG_UP = b""


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


OK = answer("200 OK", ScoreResponse(items=()).model_dump_json().encode())
PROBLEM = b'{"type": "t", "title": "t", "status": 422, "detail": "items has to be a list", "hint": "send a list"}'


def ask(*answers: bytes, retries: int = 3) -> tuple[ScoreResponse, list[str]]:
    async def run() -> tuple[ScoreResponse, list[str]]:
        async with scripted_endpoint(*answers) as (url, keys), AsyncRewardClient(url, retries=retries) as client:
            return await client.score(ITEMS), keys

    return asyncio.run(run())


@pytest.mark.parametrize(
    "first", [HANG_UP, answer("503 X", b"", "retry-after: 0"), answer("429 X"), answer("409 X"), answer("502 X")]
)
def test_a_request_that_may_be_sent_again_is_sent_again_under_the_same_key(first: bytes):
    response, keys = ask(first, OK)
    assert response.items == ()
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert keys[0]


def test_a_refused_request_is_not_sent_again_and_says_why():
    with pytest.raises(RequestRefused, match="status 422: items has to be a list") as caught:
        ask(answer("422 X", PROBLEM, "content-type: application/problem+json"))
    assert caught.value.status == 422
    assert caught.value.hint == "send a list"


def test_a_500_is_not_sent_again():
    with pytest.raises(RequestRefused, match="status 500"):
        ask(answer("500 X", b"oops"))


def test_a_service_that_never_answers_is_an_error_and_never_a_reward():
    with pytest.raises(ServiceUnreachable, match="failed 2 times; the last time: status 503"):
        ask(answer("503 X"), answer("503 X"), retries=1)


def test_an_answer_that_no_reward_service_gives_is_an_error():
    with pytest.raises(ServiceUnreachable, match="is no reward service"):
        ask(answer("200 OK", b'{"hello": 1}'))


@pytest.mark.parametrize("url", ["http://[::1", "ftp://127.0.0.1", "127.0.0.1:8080"])
def test_an_address_that_is_none_is_an_error_of_the_configuration(url: str):
    with pytest.raises(ConfigError, match="is no address of a reward service"), RewardClient(url) as client:
        client.score(ITEMS)


def test_nobody_listening_is_said_with_the_address():
    with (
        pytest.raises(ServiceUnreachable, match=r"http://127\.0\.0\.1:9/v1/score"),
        RewardClient("http://127.0.0.1:9", retries=0) as client,
    ):
        client.score(ITEMS)


def test_ready_is_false_when_nobody_listens():
    with RewardClient("http://127.0.0.1:9") as client:
        assert client.ready() is False


def test_a_request_that_is_still_being_answered_is_asked_for_however_long_it_takes():
    response, keys = ask(*[answer("409 X", b"", "retry-after: 0")] * 5, OK, retries=1)
    assert response.items == ()
    assert len(keys) == 6


def test_who_wants_no_retries_is_not_made_to_wait_for_another():
    with pytest.raises(ServiceUnreachable, match="status 409"):
        ask(answer("409 X"), retries=0)


def test_a_client_goes_on_asking_for_longer_than_a_service_takes_to_start_again(monkeypatch: pytest.MonkeyPatch):
    paused: list[float] = []

    async def note(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr("env_server.client.random.uniform", lambda least, _: least)
    monkeypatch.setattr("env_server.client.asyncio.sleep", note)
    with pytest.raises(ServiceUnreachable), RewardClient("http://127.0.0.1:9") as client:
        client.score(ITEMS)
    assert sum(paused) > 60


def test_the_shortest_deadline_is_one_that_the_service_takes():
    assert _headers("k", "normal", 0.0001)["x-assay-deadline-s"] == "0.001"
    assert _headers("k", "normal", 2.0)["x-assay-deadline-s"] == "2.000"
