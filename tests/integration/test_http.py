"""The service over real HTTP: what it answers, and what it refuses without repeating it."""

import json
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from raw_items import raw_item

CANARY = "canary8f3a"
JSON = {"content-type": "application/json"}


def score(http: httpx.Client, *items: Any, **more: Any) -> httpx.Response:
    return http.post("/v1/score", json={"items": list(items), **more})


def test_the_documented_request_gives_the_documented_answer(http):
    item = raw_item("so it is \\boxed{4}", "math.v1", {"answer": "4"}, group="t1-3", sample=0)
    answer = score(http, item, run={"id": "demo", "step": 3}).json()
    assert answer["problems"] == []
    (scored,) = answer["items"]
    assert (scored["task_id"], scored["reward"], scored["status"]) == ("t", 1.0, "scored")
    assert (scored["group"], scored["sample"]) == ("t1-3", 0)
    (component,) = scored["components"]
    assert (component["rewarder"], component["contribution"]) == ("maths.equal", 1.0)
    record = http.get(f"/v1/records/{scored['record_id']}").json()
    assert (record["run"], record["step"], record["reward"]) == ("demo", 3, 1.0)
    assert record["task"]["reference"] == {"answer": "4"}
    assert record["completion"]["text"].endswith("\\boxed{4}")
    assert record["instrument"][0]["code_digest"].startswith("sha256:")


def test_the_request_shown_in_the_readme_gets_the_answer_shown_there(http):
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    body = re.search(r"-d '(\{.*?\})'\n", readme, re.DOTALL)
    assert body is not None
    (scored,) = http.post("/v1/score", content=body[1], headers=JSON).json()["items"]
    verdict = scored["components"][0]["verdict"]
    assert (scored["reward"], verdict["reason"]) == (1.0, "equal")
    assert f'"evidence": {json.dumps(verdict["evidence"])}' in readme


def test_the_reasoning_rubric_closes_its_gate_and_observes_length(http):
    good = raw_item("<think>2+2</think><answer>4</answer>", "reasoning.v1", {"answer": "4"})
    bad = raw_item("<answer>4</answer>", "reasoning.v1", {"answer": "4"})
    first, second = score(http, good, bad).json()["items"]
    assert (first["reward"], second["reward"]) == (1.0, 0.0)
    assert [part["gate"] for part in second["components"]] == [True, False, False]
    assert sum(part["contribution"] for part in second["components"]) == 0.0


def test_each_item_is_answered_in_its_place_whatever_its_neighbours_are(http):
    items = [
        raw_item("x" * 50),
        {"task": {CANARY: 1}, "completion": None},
        raw_item("x", "no-such-rubric.v1"),
        raw_item("4", "echo.v1", {"answer": 4}),
        raw_item("4", "echo.v1", {"answer": "4", CANARY: 1}),
        "not an object",
        raw_item("raise", "obeys.v1"),
        raw_item("burn", "obeys.v1"),
        raw_item("4", "echo.v1", {"answer": "4"}),
    ]
    response = score(http, *items)
    answer = response.json()
    assert [entry["status"] for entry in answer["items"]] == [
        "scored", "invalid", "invalid", "invalid", "invalid", "invalid", "unscored", "scored", "scored",
    ]  # fmt: skip
    assert [entry["reward"] for entry in answer["items"]] == [0.5, *[None] * 6, 0.0, 1.0]
    assert [problem["item"] for problem in answer["problems"]] == [1, 2, 3, 4, 5]
    assert answer["items"][6]["fault"]["message"].startswith("odd.obeys raised ValueError at odd_rewarders.py:")
    assert CANARY not in response.text


def test_an_empty_batch_is_answered_empty(http):
    assert score(http).json() == {"items": [], "problems": []}


def test_a_key_sent_again_gives_the_same_answer_and_no_second_record(http):
    body = json.dumps({"items": [raw_item("x" * 20)]})
    headers = {**JSON, "idempotency-key": "once"}
    first, second = (http.post("/v1/score", content=body, headers=headers) for _ in range(2))
    assert first.content == second.content
    other = http.post("/v1/score", content=body.replace("x", "y"), headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "urn:assay:problem:invalid_request")


def test_a_key_in_flight_is_refused_until_its_first_request_is_answered(http):
    body = json.dumps({"items": [raw_item("burn", "obeys.v1")] * 10})  # seconds of work: nobody comes too late
    headers = {**JSON, "idempotency-key": "in-flight"}
    statuses: list[int] = []

    def send() -> None:
        statuses.append(httpx.post(f"{http.base_url}/v1/score", content=body, headers=headers, timeout=60).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]


ITEM = json.dumps(raw_item(CANARY))
BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "a string": f'"{CANARY}"'.encode(),
    "a list": f"[{ITEM}]".encode(),
    "no items": b"{}",
    "items of another type": f'{{"items": "{CANARY}"}}'.encode(),
    "an unknown field": f'{{"items": [], "{CANARY}": 1}}'.encode(),
    "an unknown field of run": f'{{"items": [], "run": {{"id": "r", "{CANARY}": 1}}}}'.encode(),
    "a negative step": b'{"items": [], "run": {"id": "r", "step": -1}}',
    "truncated": f'{{"items": [{ITEM}'.encode(),
    "trailing garbage": f'{{"items": []}} {CANARY}'.encode(),
    "NaN": b'{"items": [], "run": {"id": "r", "step": NaN}}',
    "1e999": b'{"items": [], "run": {"id": "r", "step": 1e999}}',
    "duplicate keys": f'{{"items": [], "items": [{ITEM}]}}'.encode(),
    "a lone surrogate": f'{{"items": ["\\ud800{CANARY}"]}}'.encode(),
    "depth 100,000": b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "depth 900": b'{"items": [' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]}",
    "1 M keys": b'{"items": [{' + b",".join(b'"%d":1' % i for i in range(1_000_000)) + b"}]}",
    "50 MB": b'{"items": ["' + b"a" * 50_000_000 + b'"]}',
    "too many items": b'{"items": [' + b"1," * 1024 + b"1]}",
    "a 5,000-digit number": b'{"items": [], "run": {"id": "r", "step": ' + b"9" * 5000 + b"}}",
    "UTF-16": f'{{"items": [{ITEM}]}}'.encode("utf-16"),
    "invalid UTF-8": b'{"items": ["\xff"]}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_gets_a_problem_document_and_harms_nobody(http, name: str):
    response = http.post("/v1/score", content=BAD_BODIES[name], headers=JSON)
    assert 400 <= response.status_code < 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    assert CANARY not in response.text
    assert len(response.content) < 1000
    assert score(http, raw_item("x" * 50)).json()["items"][0]["reward"] == 0.5


def test_a_chunked_body_without_a_length_is_cut_off_at_the_limit(http):
    response = http.post("/v1/score", content=(b" " * 100_000 for _ in range(100)), headers=JSON)
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({**JSON, "content-encoding": "gzip"}, 415),
        ({**JSON, "idempotency-key": "k" * 10_000}, 422),
        ({**JSON, "idempotency-key": ""}, 422),
    ],
)
def test_a_header_that_cannot_be_honoured_is_refused(http, headers: dict[str, str], status: int):
    response = http.post("/v1/score", content=b'{"items": []}', headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/score", 405),
        ("GET", "/v1/records/no-such-id", 404),
        ("GET", "/v1/records/%2e%2e%2fetc", 404),
        ("DELETE", "/v1/rubrics", 405),
    ],
)
def test_a_wrong_address_or_method_gets_a_problem_document(http, method: str, path: str, status: int):
    response = http.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


def test_the_service_says_what_it_has(http):
    rubrics = {rubric["name"] for rubric in http.get("/v1/rubrics").json()["rubrics"]}
    assert {"math.v1", "reasoning.v1", "length.v1"} <= rubrics
    rewarders = {spec["name"]: spec for spec in http.get("/v1/rewarders").json()["rewarders"]}
    assert rewarders["maths.equal"]["distribution"].startswith("assay ")
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").status_code == 200


def test_the_description_of_the_interface_describes_every_body(http):
    document = http.get("/openapi.json").json()
    assert "/v1/score" in document["paths"]
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert {"ScoreRequest", "ScoreResponse", "Task"} <= references
    assert references <= document["components"]["schemas"].keys()
    assert '"#/$defs' not in json.dumps(document)
