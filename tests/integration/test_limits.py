"""Quotas, deadlines and priorities over HTTP, of a server in a process of its own."""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from raw_items import raw_item

from env_server.client import RewardClient
from env_server.schemas import Item, Status

LIMITS = """
[limits]
items_per_s = 40
requests_at_once = 2
"""


@pytest.fixture
def limited(make_server, server_toml: str) -> str:
    """Address of a server that takes 40 items a second, and two requests at once."""
    return make_server(toml=server_toml + LIMITS).url


def ask(url: str, items: list[dict], path: str = "/v1/score", **headers: str) -> httpx.Response:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.post(f"{url}{path}", content=json.dumps({"items": items}), headers=sent, timeout=60)


def check_refused(response: httpx.Response) -> int:
    """How many seconds the client is to wait."""
    problem = response.json()
    assert (response.status_code, problem["type"]) == (429, "urn:assay:problem:quota_exceeded")
    assert response.headers["content-type"] == "application/problem+json"
    return int(response.headers["retry-after"])


def test_too_many_items_are_refused_for_exactly_as_long_as_they_cost(limited: str):
    assert ask(limited, [raw_item("x" * n) for n in range(1, 121)]).status_code == 200
    began = time.monotonic()
    pause_s = check_refused(ask(limited, [raw_item("x")]))
    assert 1 <= pause_s <= math.ceil((120 - 40) / 40)
    time.sleep(max(0.0, began + pause_s - time.monotonic()))
    assert ask(limited, [raw_item("x")]).status_code == 200


def test_a_dialect_pays_like_everybody_else(limited: str):
    ask(limited, [raw_item("x" * n) for n in range(1, 121)])
    body = json.dumps({"query": ["p x"], "prompts": ["p"]})
    sent = {"content-type": "application/json"}
    check_refused(httpx.post(f"{limited}/openrlhf/length.v1/get_reward", content=body, headers=sent))


def test_a_client_that_heeds_retry_after_is_answered_in_the_end(limited: str):
    items = [Item.model_validate(raw_item("x" * (n + 1))) for n in range(80)]
    with RewardClient(limited) as client:
        answers = [client.score(items).items for _ in range(3)]
    assert {item.status for answer in answers for item in answer} == {Status.SCORED}


def test_more_requests_at_once_than_allowed_are_refused_and_the_others_are_answered(limited: str):
    burning = [[raw_item("burn", "obeys.v1")] * 3] * 5
    with ThreadPoolExecutor(5) as threads:
        statuses = [response.status_code for response in threads.map(lambda items: ask(limited, items), burning)]
    assert statuses.count(200) >= 2
    assert set(statuses) == {200, 429}


def test_a_deadline_leaves_unscored_what_is_not_done_and_the_answer_says_so(limited: str):
    items = [raw_item("sleep", "obeys.v1"), raw_item("xx")]
    ask(limited, [raw_item("x")])
    asleep, quick = ask(limited, items, X_Assay_Deadline_S="1.5").json()["items"]
    assert (asleep["status"], asleep["fault"]["kind"], asleep["fault"]["retryable"]) == (
        "unscored", "DeadlineExceeded", True,
    )  # fmt: skip
    assert quick["reward"] == 0.02


def test_the_client_says_how_long_it_waits_and_who_may_pass(limited: str):
    item = Item.model_validate(raw_item("sleep", "obeys.v1"))
    with RewardClient(limited) as client:
        (answer,) = client.score([item], priority="background", deadline_s=0.3).items
        parts = list(client.stream([item], priority="interactive", deadline_s=0.3))
    assert answer.fault is not None
    assert answer.fault.kind == "DeadlineExceeded"
    assert [one.fault and one.fault.kind for part in parts for one in part.items] == ["DeadlineExceeded"]


@pytest.mark.parametrize("header", [{"X_Assay_Deadline_S": "soon-SECRET"}, {"X_Assay_Priority": "SECRET"}])
def test_a_header_that_says_nothing_is_refused_by_name_and_without_an_echo(limited: str, header: dict[str, str]):
    response = ask(limited, [], **header)
    assert response.status_code == 422
    assert response.json()["field"] == next(iter(header)).replace("_", "-")
    assert "SECRET" not in response.text
