"""Over HTTP: whoever is read aside is told the same as before, word for word, and so is who sends much."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from raw_items import raw_item

from trainer.server import spawned_server

CONFIG = """
[plugins]
load = []
modules = ["odd_rewarders"]
[workers]
processes = 1
[rubrics."length.v1"]
parts = [{ rewarder = "odd.length" }]
"""
LINES = {"accept": "application/x-ndjson"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """Of a service that has been asked nothing yet."""
    (tmp_path / "server.toml").write_text(CONFIG)
    with (
        spawned_server(tmp_path / "data", tmp_path / "server.toml") as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def readers() -> list[psutil.Process]:
    """Processes of this test's server that read bodies."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            found += [process] if "env_server.body_process" in process.cmdline() else []
    return found


def lose_patience(client: httpx.Client) -> None:
    """Send a thousand bad items."""
    items = client.post("/v1/score", json={"items": [{"task": {"id": "x" * 100}}] * 1000}).json()["items"]
    assert {item["status"] for item in items} == {"invalid"}


def mixed() -> dict[str, Any]:
    """Good and bad items, in groups and alone, in a body that is not short."""
    good, odd = raw_item("a" * 3000, "length.v1"), raw_item("b", "length.v1")
    odd["task"]["id"] = ""
    unknown = raw_item("c", "no.such.v1")
    return {"items": [{**good, "group": "g"}, {**odd, "group": "g"}, 7, unknown, {**odd, "extra": 1}, good]}


def answers(client: httpx.Client) -> list[Any]:
    """What is said to bodies of several kinds, without what is another every time."""
    asked: list[tuple[str, dict[str, str], bytes]] = [
        ("/v1/score", {}, json.dumps(mixed()).encode()),
        ("/v1/score", LINES, json.dumps(mixed()).encode()),
        ("/v1/score", {}, b'{"items": [' + b"[" * 5000),
        ("/v1/score", {}, b'{"items": 3, "run": "%s"}' % (b"a" * 5000)),
        ("/openrlhf/length.v1/get_reward", {}, json.dumps({"query": ["a" * 5000], "prompts": 3}).encode()),
        ("/openrlhf/length.v1/get_reward", {}, json.dumps({"query": ["ab" * 2000], "prompts": ["a"]}).encode()),
    ]
    said = []
    for path, headers, body in asked:
        answer = client.post(path, headers={"content-type": "application/json", **headers}, content=body)
        said.append((answer.status_code, [_lasting(json.loads(line)) for line in answer.text.splitlines()]))
    return said


def _lasting(said: Any) -> Any:
    """Without ids and times."""
    if isinstance(said, dict):
        return {
            name: _lasting(value)
            for name, value in said.items()
            if name not in ("record_id", "cpu_s", "wall_s", "cached")
        }
    return [_lasting(one) for one in said] if isinstance(said, list) else said


def test_who_has_used_up_our_patience_is_answered_as_before_by_another_process(client: httpx.Client):
    before = answers(client)
    assert [status for status, _ in before] == [200, 200, 400, 422, 422, 200]
    assert not readers()
    lose_patience(client)
    assert answers(client) == before
    assert len(readers()) == 1


def test_a_retry_is_answered_again_whichever_process_read_it(client: httpx.Client):
    body = json.dumps(mixed()).encode()
    headers = {"content-type": "application/json", "idempotency-key": "twice"}
    first = client.post("/v1/score", headers=headers, content=body)
    lose_patience(client)
    assert client.post("/v1/score", headers=headers, content=body).content == first.content
    other = client.post("/v1/score", headers=headers, content=body + b" ")
    assert (other.status_code, "with another body" in other.json()["detail"]) == (422, True)
    assert len(readers()) == 1


@pytest.mark.parametrize("headers", [{}, LINES])
def test_a_large_body_is_scored_item_by_item_like_a_small_one(client: httpx.Client, headers: dict[str, str]):
    lengths = [10, 400_000, 20, 900_000]
    items = [raw_item("x" * length, "length.v1") for length in lengths]
    small = client.post("/v1/score", json={"items": items[:1]}).json()["items"][0]
    answer = client.post("/v1/score", json={"items": items}, headers=headers)
    said = [json.loads(line) for line in answer.text.splitlines()]
    found = {
        i: item
        for line in said
        if "items" in line and "done" not in line
        for i, item in zip(line.get("indices", range(4)), line["items"], strict=True)
    }
    assert [found[i]["status"] for i in range(4)] == ["scored"] * 4
    assert _lasting(found[0]) == _lasting(small)
    assert len({found[i]["completion_digest"] for i in range(4)}) == 4


LATE: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "an item of many wrong turns": (
        "/v1/score",
        {},
        {"items": [raw_item("a", "length.v1") | {"group": "x" * 300}] * 300},
    ),
    "a key that is none": ("/v1/score", {"idempotency-key": "k" * 300}, {"items": [0] * 900, "explain": True}),
    "a rubric that is none": ("/openrlhf/none.v1/get_reward", {}, {"query": ["a"] * 20_000, "prompts": ["a"] * 20_000}),
    "lists of two lengths": ("/openrlhf/length.v1/get_reward", {}, {"query": ["a" * 400] * 100, "prompts": ["a"]}),
}
"""Refused when their bodies have long been read."""


@pytest.mark.parametrize("what", LATE)
def test_whatever_is_refused_late_uses_up_patience_too(client: httpx.Client, what: str):
    path, headers, body = LATE[what]
    for _ in range(500):
        client.post(path, headers=headers, json=body)
        if readers():
            break
    assert readers()


def test_of_an_item_that_is_wrong_in_many_places_one_is_told(client: httpx.Client):
    item = raw_item("a", "length.v1")
    wrong = [
        item | {"task": item["task"] | {"prompt": [0] * 100_000}},
        item | {str(number): 1 for number in range(50_000)},
    ]
    said = client.post("/v1/score", json={"items": wrong}).json()["items"]
    assert [each["problem"]["field"] for each in said] == ["task.prompt.0", None]


def test_what_reads_bodies_ends_with_the_server_that_was_killed(tmp_path: Path):
    (tmp_path / "server.toml").write_text(CONFIG)
    with spawned_server(tmp_path / "data", tmp_path / "server.toml") as url:
        large = {"items": [raw_item("x" * 2_000_000, "length.v1")]}
        assert httpx.post(f"{url}/v1/score", json=large, timeout=60).status_code == 200
        (reader,) = readers()
        server = reader.parent()
        assert server is not None
        server.kill()
        psutil.wait_procs([reader], timeout=30)
        assert not reader.is_running()
