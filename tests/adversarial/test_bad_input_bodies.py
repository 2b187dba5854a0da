"""Bodies that nobody should send, to every route that reads one: refused, not repeated, and nobody else suffers.

What a completion can do (programs, maths, citations, judges' prompts) is in the other files of this folder.
"""

import json
from typing import Any

import httpx
import pytest
from raw_items import raw_item
from targets import Target

CANARY = "canary8f3a"
ROUTES = (
    "/v1/score", "/v1/records/{record}/notes", "/v1/records/{record}/recompute", "/openrlhf/echo.v1/get_reward",
    "/slime/echo.v1", "/nemo-gym/echo.v1/verify", "/nemo-gym/echo.v1/seed_session",
    "/nemo-gym/echo.v1/aggregate_metrics",
)  # fmt: skip
JSON = {"content-type": "application/json"}
OBJECT = f'{{"items": [], "{CANARY}": 1}}'
BODIES: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n",
    "null": b"null",
    "a number": b"1",
    "a text": f'"{CANARY}"'.encode(),
    "a list": f'["{CANARY}"]'.encode(),
    "truncated": f'{{"items": ["{CANARY}"'.encode(),
    "trailing garbage": f'{{"items": []}} {CANARY}'.encode(),
    "two documents": b'{"items": []}{"items": []}',
    "duplicate keys": f'{{"items": [], "items": ["{CANARY}"]}}'.encode(),
    "NaN": b'{"items": [NaN]}',
    "Infinity": b'{"items": [-Infinity]}',
    "1e999": b'{"items": [1e999]}',
    "a 5,000-digit number": b'{"items": [' + b"9" * 5000 + b"]}",
    "a lone surrogate": f'{{"items": ["\\ud800{CANARY}"]}}'.encode(),
    "invalid UTF-8": b'{"items": ["\xff\xfe"]}',
    "an overlong NUL": b'{"items": ["\xc0\x80"]}',
    "a byte order mark": b"\xef\xbb\xbf" + OBJECT.encode(),
    "UTF-16": OBJECT.encode("utf-16"),
    "UTF-32": OBJECT.encode("utf-32-le"),
    "latin-1": '{"items": ["é"]}'.encode("latin-1"),
    "a raw control character": b'{"items": ["\x00"]}',
    "a comment": f"{{}} // {CANARY}".encode(),
    "depth 900": b'{"items": ' + b"[" * 900 + b"]" * 900 + b"}",
    "depth 100,000": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "400,000 keys": b"{" + b",".join(b'"%d":1' % number for number in range(400_000)) + b"}",
    "a byte over the limit": b'{"items": ["' + b"a" * 4_000_000 + b'"]}',
}


@pytest.fixture(scope="module")
def record(target: Target) -> str:
    """Id of a record that belongs to whoever asks."""
    body = {"items": [raw_item("4", "echo.v1", {"answer": "4"})]}
    return target.client.post("/v1/score", json=body).json()["items"][0]["record_id"]


def refused(answer: httpx.Response, *statuses: int) -> None:
    """A short problem document of ours that repeats nothing."""
    assert answer.status_code in (statuses or range(400, 500)), answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert CANARY not in answer.text
    assert len(answer.content) < 1000


def unharmed(target: Target) -> None:
    """Somebody else is served as if nothing had been."""
    (scored,) = target.client.post("/v1/score", json={"items": [raw_item("x" * 50)]}).json()["items"]
    assert scored["reward"] == 0.5


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_wherever_it_is_sent(target: Target, record: str, name: str):
    for route in ROUTES:
        refused(target.client.post(route.format(record=record), content=BODIES[name], headers=JSON), 400, 413, 422)
    unharmed(target)


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_that_is_not_plain_json_is_refused(target: Target, record: str, route: str):
    parts = "".join(f"--b\r\ncontent-disposition: form-data; name={n}\r\n\r\n1\r\n" for n in range(10_000)) + "--b--"
    kinds: list[tuple[dict[str, str], bytes]] = [
        ({"content-type": "text/plain"}, b"{}"),
        ({"content-type": "application/json; charset=latin-1"}, b"{}"),
        ({"content-type": "application/json; charset=utf-16"}, b"{}"),
        ({"content-type": "application/jsonx"}, b"{}"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"items=1"),
        ({"content-type": "multipart/form-data; boundary=b"}, parts.encode()),
        ({**JSON, "content-encoding": "gzip"}, b"\x1f\x8b" + b"0" * 1000),
        ({**JSON, "content-encoding": "br"}, b"{}"),
        ({**JSON, "content-encoding": "identity, gzip"}, b"{}"),
        ({}, b"{}"),
    ]
    for headers, body in kinds:
        refused(target.client.post(route.format(record=record), content=body, headers=headers), 415)
    unharmed(target)


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_without_a_length_is_cut_off_at_the_limit(target: Target, record: str, route: str):
    chunks = (b" " * 100_000 for _ in range(80))
    refused(target.client.post(route.format(record=record), content=chunks, headers=JSON), 413)


def bad_items() -> dict[str, Any]:
    good = raw_item("x")
    return {
        "a step that is a text": {"items": [], "run": {"id": "r", "step": "nan"}},
        "a step that is true": {"items": [], "run": {"id": "r", "step": True}},
        "a step of 2^63": {"items": [], "run": {"id": "r", "step": 2**63}},
        "a negative step": {"items": [], "run": {"id": "r", "step": -1}},
        "a run with a NUL": {"items": [], "run": {"id": "a\0b"}},
        "a run without a name": {"items": [], "run": {"id": ""}},
        "a run of 10 kB": {"items": [], "run": {"id": CANARY * 1000}},
        "an unknown field": {"items": [], CANARY: 1},
        "explain as a number": {"items": [], "explain": 1},
        "a judge's address": {"items": [good], "judge_url": f"http://169.254.169.254/{CANARY}"},
        "a tenant": {"items": [good], "tenant": CANARY},
    }


@pytest.mark.parametrize("name", bad_items())
def test_an_envelope_that_says_too_much_or_the_wrong_thing_is_refused(target: Target, name: str):
    refused(target.client.post("/v1/score", json=bad_items()[name]), 422)


def task(**changes: Any) -> dict[str, Any]:
    item = raw_item("x")
    return {**item, "task": {**item["task"], **changes}}


BAD_ITEMS: dict[str, Any] = {
    "null": None,
    "a list": [],
    "nothing": {},
    "an unknown field": {**raw_item("x"), CANARY: 1},
    "a field that names an address": task(judge_url=f"file:///etc/{CANARY}"),
    "a rubric that is a path": task(rubric=f"../{CANARY}"),
    "a rubric with a line break": task(rubric=f"length.v1\n{CANARY}"),
    "a rubric without a version": task(rubric="length"),
    "a rubric of a newer version": task(rubric="length.v999"),
    "a rubric's twin in Cyrillic": task(rubric="lеngth.v1"),
    "a rubric's twin in full width": task(rubric="ｌength.v1"),
    "a rubric that is a list": task(rubric=["length.v1"]),
    "an id with a NUL": task(id="a\0b"),
    "an id of 10 kB": task(id=CANARY * 1000),
    "a text that is a number": {**raw_item("x"), "completion": {"text": 1, "finish_reason": "stop"}},
    "a finish that there is not": {**raw_item("x"), "completion": {"text": "x", "finish_reason": CANARY}},
    "a sample of true": {**raw_item("x"), "sample": True},
    "a sample of -1": {**raw_item("x"), "sample": -1},
    "a sample of 1.5": {**raw_item("x"), "sample": 1.5},
    "a sample of 2^63": {**raw_item("x"), "sample": 2**63},
    "a reference that nobody reads": raw_item("x", "length.v1", {CANARY: 1}),
    "a reference of another type": raw_item("x", "echo.v1", [CANARY]),
    "a reference with weights": raw_item("x", "echo.v1", {"answer": "x", "weights": [-1, 1e308]}),
}


def test_a_bad_item_is_invalid_in_its_place_and_its_neighbours_are_scored(target: Target):
    good = raw_item("x" * 50)
    items = [one for bad in BAD_ITEMS.values() for one in (good, bad)]
    answer = target.client.post("/v1/score", json={"items": items})
    statuses = [item["status"] for item in answer.json()["items"]]
    assert dict(zip(BAD_ITEMS, statuses[1::2], strict=True)) == dict.fromkeys(BAD_ITEMS, "invalid")
    assert [item["reward"] for item in answer.json()["items"][::2]] == [0.5] * len(BAD_ITEMS)
    assert CANARY not in answer.text


def test_a_batch_may_be_empty_and_full_and_no_more_than_full(target: Target):
    item = raw_item("x" * 50)
    for count in (0, 1, 1024):
        answer = target.client.post("/v1/score", json={"items": [item] * count})
        assert [one["reward"] for one in answer.json()["items"]] == [0.5] * count
    refused(target.client.post("/v1/score", json={"items": [item] * 1025}), 413)


def test_an_item_that_kills_its_worker_leaves_its_neighbours_alone(target: Target):
    texts = ["segfault", "exit", "hog", "burn", "recurse"]
    items = [one for text in texts for one in (raw_item(text, "obeys.v1"), raw_item("x" * 50))]
    scored = target.client.post("/v1/score", json={"items": items}).json()["items"]
    assert [one["reward"] for one in scored[1::2]] == [0.5] * len(texts)
    assert {one["status"] for one in scored} <= {"scored", "unscored"}
    unharmed(target)


ODD_TEXTS = {
    "escape sequences": "\x1b]0;title\x07\x1b[2J\x1b[31m",
    "bidirectional controls": "\u202euser\u2066\u2069",
    "markup": "<script>alert(1)</script>[red]",
    "a formula": "=cmd|' /C calc'!A0",
    "SQL": "'; drop table records; --",
    "wildcards": "%_*",
    "a line break": "a\nb\r\nc",
    "astral characters": "\U0001f600" * 50,
}


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_an_odd_text_comes_back_as_it_was_and_means_nothing(target: Target, name: str):
    text = ODD_TEXTS[name]
    item = {**raw_item(text), "group": text}
    item["task"]["id"] = text
    body = {"items": [item], "run": {"id": text}}
    (scored,) = target.client.post("/v1/score", json=body).json()["items"]
    assert scored["task_id"] == text
    for query in ({"run": text}, {"task_id": text}, {"run": text, "group": text}):
        found = target.client.get("/v1/records", params=query)
        assert "\x1b" not in found.text
        assert [row["id"] for row in found.json()["records"]] == [scored["record_id"]]
    record = target.client.get(f"/v1/records/{scored['record_id']}").json()
    assert record["completion"]["text"] == text


def test_a_nul_in_a_text_is_text(target: Target):
    (scored,) = target.client.post("/v1/score", json={"items": [raw_item("a\0b" * 10)]}).json()["items"]
    assert scored["reward"] == 0.3
    record = target.client.get(f"/v1/records/{scored['record_id']}").json()
    assert record["completion"]["text"] == "a\0b" * 10


BAD_NOTES: dict[str, Any] = {
    "a kind that there is not": {"kind": "reward", "by": "x", "reason": "y"},
    "a reward that is not a number": {"kind": "correction", "by": "x", "reason": "y", "reward": "nan"},
    "a reward out of bounds": {"kind": "correction", "by": "x", "reason": "y", "reward": 1e308},
    "a label and a reward": {"kind": "label", "by": "x", "reason": "y", "label": True, "reward": 1.0},
    "a reason of 10 kB": {"kind": "invalidation", "by": "x", "reason": CANARY * 1000},
    "another tenant": {"kind": "invalidation", "by": "x", "reason": "y", "tenant": CANARY},
    "a time": {"kind": "invalidation", "by": "x", "reason": "y", "at": "9999-12-31T23:59:60Z"},
}


@pytest.mark.parametrize("name", BAD_NOTES)
def test_a_bad_note_is_refused_and_nothing_is_noted(target: Target, record: str, name: str):
    refused(target.client.post(f"/v1/records/{record}/notes", json=BAD_NOTES[name]), 422)
    assert target.client.get(f"/v1/records/{record}").json()["note_count"] == 0


@pytest.mark.parametrize("version", ["9.9", "../1.0", "1.0\n", "installed\u0000"])
def test_a_replay_by_a_version_that_there_is_not_says_so(target: Target, record: str, version: str):
    body = json.dumps({"against": version, "rewarder": "odd.echo", "dry_run": True})
    answer = target.client.post(f"/v1/records/{record}/recompute", content=body, headers=JSON)
    if answer.status_code == 200:
        assert answer.json()["result"] == "not_replayable"
    else:
        refused(answer, 422)
