"""Requests whose line or headers nobody should send: methods, addresses, parameters, hosts, origins, keys."""

import json
import threading
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from raw_items import raw_item
from targets import Target

NOBODYS = UUID(int=7)
CANARY = "canary8f3a"
JSON = {"content-type": "application/json"}
READ = (
    "/v1/rubrics", "/v1/rewarders", "/v1/plugins", "/v1/records", "/healthz", "/readyz", "/metrics", "/openapi.json",
    "/nemo-gym/echo.v1/reverify_mode",
)  # fmt: skip
WRITTEN = (
    "/v1/score", f"/v1/records/{NOBODYS}/notes", f"/v1/records/{NOBODYS}/recompute", "/openrlhf/echo.v1/get_reward",
    "/slime/echo.v1", "/nemo-gym/echo.v1/verify", "/nemo-gym/echo.v1/seed_session",
    "/nemo-gym/echo.v1/aggregate_metrics",
)  # fmt: skip


def refused(answer: httpx.Response, *statuses: int) -> None:
    """A short problem document of ours that repeats nothing."""
    assert answer.status_code in statuses, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.request.method != "HEAD":
        assert answer.json()["status"] == answer.status_code
    assert CANARY not in f"{answer.text} {answer.headers}"
    assert len(answer.content) < 1000


@pytest.mark.parametrize("path", READ + WRITTEN)
def test_a_route_answers_its_own_method_and_no_other(target: Target, path: str):
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "HEAD", "CONNECT"}
    own = {"POST"} if path in WRITTEN else {"GET", "HEAD"} if path == "/openapi.json" else {"GET"}
    for method in sorted(methods - own):
        refused(target.client.request(method, path), 405)
    override = {"x-http-method-override": "DELETE", "x-method-override": "DELETE", "x-http-method": "DELETE"}
    answer = target.client.request("POST" if path in WRITTEN else "GET", path, headers=override)
    assert answer.status_code in ((415, 404, 422, 400) if path in WRITTEN else (200,))


@pytest.mark.parametrize(
    "path",
    [f"/{CANARY}", "/", "/v1", "/v1/", "/v1/rubrics/", "//v1/rubrics", f"/v1/records/..%2f..%2f{CANARY}",
     "/v1/records/../../etc/passwd/x", "/docs", "/redoc", "/docs/oauth2-redirect", "/v1/score/", "/V1/rubrics",
     f"/v1/records/{CANARY}", "/v1/records/%00", "/v1/records/%", "/v1/records/%ff%fe", f"/v1/records/{'a' * 2000}",
     "/v1/records/' or 1=1 --", "/v1/records/%25", "/v1/records/00000000-0000-0000-0000-000000000000",
     f"/slime/{CANARY}/x", "/openrlhf//get_reward", "/nemo-gym/echo.v1/"],
)  # fmt: skip
def test_an_address_that_leads_nowhere_says_so(target: Target, path: str):
    refused(target.client.get(path), 404)


@pytest.mark.parametrize(
    "rubric", [CANARY, "..%2fx", "length", "l%C4%95ngth.v1", "length.v1%0a", "length.v1%00", "%ff"]
)
def test_a_rubric_in_the_address_that_there_is_not_is_not_found(target: Target, rubric: str):
    body = {"prompt": "?", "response": "4", "label": "4"}
    refused(target.client.post(f"/slime/{rubric}", json=body), 404)


BAD_QUERIES = {
    "a limit of -1": {"limit": "-1"},
    "a limit of 10^9": {"limit": "1000000000"},
    "a limit of 1e3": {"limit": "1e3"},
    "a cursor that is none": {"cursor": CANARY},
    "an empty cursor": {"cursor": ""},
    "a cursor of 10 kB": {"cursor": "a" * 10_000},
    "a cursor with SQL": {"cursor": "' or 1=1 --"},
    "year 0": {"since": "0000-01-01"},
    "a leap second": {"since": "2016-12-31T23:59:60Z"},
    "year 10000": {"until": "10000-01-01"},
    "a time of 1e999": {"until": "1e999"},
    "a time of 0.5": {"until": "0.5"},
    "a time of -1": {"since": "-1"},
    "a name with a NUL": {"run": "a\0b"},
    "a name of 10 kB": {"run": CANARY * 1000},
    "an empty name": {"run": ""},
    "a step of 10^20": {"step": str(10**20)},
    "a step of true": {"step": "true"},
    "a reward of nan": {"reward_min": "nan"},
    "a reward of inf": {"reward_max": "inf"},
    "an order there is not": {"order": CANARY},
    "a kind there is not": {"kind": CANARY},
    "a parameter there is not": {CANARY: "1"},
    "a tenant": {"tenant": CANARY},
}


@pytest.mark.parametrize("name", BAD_QUERIES)
def test_a_bad_parameter_is_refused_by_its_name(target: Target, name: str):
    refused(target.client.get("/v1/records", params=BAD_QUERIES[name]), 422)


@pytest.mark.parametrize(
    "query",
    [{"since": "0001-01-01"}, {"since": "9999-12-31T23:59:59-23:59"}, {"until": "0001-01-01T00:00:00+23:59"},
     {"run": "%"}, {"run": "_' or 1=1 --"}, {"task_id": "\u202e"}, {"group": "*"}],
)  # fmt: skip
def test_an_odd_parameter_finds_what_it_says(target: Target, query: dict[str, str]):
    answer = target.client.get("/v1/records", params=query)
    assert answer.status_code == 200
    assert answer.json()["next"] is None


BAD_HEADERS: dict[str, tuple[dict[str, str], tuple[int, ...]]] = {
    "another host": ({"host": f"{CANARY}.example"}, (421,)),
    "a host that was rebound": ({"host": "127.0.0.1.example"}, (421,)),
    "another origin": ({"origin": f"http://{CANARY}.example"}, (403,)),
    "no origin": ({"origin": "null"}, (403,)),
    "another site": ({"sec-fetch-site": "cross-site"}, (403,)),
    "a key of 10 kB": ({"idempotency-key": CANARY * 1000}, (422,)),
    "an empty key": ({"idempotency-key": ""}, (422,)),
    "a length that is no number": ({"content-length": "x"}, (400,)),
}


@pytest.mark.parametrize("name", [name for name in BAD_HEADERS if "length" not in name])
@pytest.mark.parametrize("path", ["/v1/score", "/slime/echo.v1"])
def test_a_bad_header_is_refused(target: Target, name: str, path: str):
    if "key" in name and path != "/v1/score":
        pytest.skip("dialects know no idempotency key")
    headers, statuses = BAD_HEADERS[name]
    refused(target.client.post(path, content=b'{"items": []}', headers={**JSON, **headers}), *statuses)


def test_a_deadline_and_a_priority_that_make_no_sense_are_refused(target: Target):
    bad = [("x-assay-deadline-s", one) for one in ("nan", "inf", "-1", "0", "1e9999", CANARY, "1" * 100)]
    for name, value in [*bad, ("x-assay-priority", CANARY), ("x-assay-priority", "0")]:
        answer = target.client.post("/v1/score", content=b'{"items": []}', headers={**JSON, name: value})
        refused(answer, 422)


def test_one_idempotency_key_fifty_times_at_once_makes_one_record(target: Target):
    run = uuid4().hex
    body = json.dumps({"items": [raw_item("burn", "obeys.v1"), raw_item(run)], "run": {"id": run}})
    headers = {**JSON, **target.headers, "idempotency-key": run}
    answers: list[httpx.Response] = []

    def send() -> None:
        answers.append(httpx.post(f"{target.url}/v1/score", content=body, headers=headers, timeout=60))

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409)
    assert len(target.client.get("/v1/records", params={"run": run}).json()["records"]) == 2
    other = target.client.post("/v1/score", content=body.replace("burn", "none"), headers=headers)
    refused(other, 422)


def test_a_twin_of_a_name_is_another_name(target: Target):
    for run in ("caf\u00e9", "cafe\u0301"):
        item: dict[str, Any] = raw_item(run)
        assert target.client.post("/v1/score", json={"items": [item], "run": {"id": run}}).status_code == 200
    for run in ("caf\u00e9", "cafe\u0301"):
        (row,) = target.client.get("/v1/records", params={"run": run}).json()["records"]
        assert row["run"] == run
