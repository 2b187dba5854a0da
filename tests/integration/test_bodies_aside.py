"""Over HTTP: whoever is read aside is told the same as before, word for word, and so is who sends much."""

import json
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from raw_items import raw_item

from env_server.patience import ALLOWED_S, REFUSED_ITEM_S
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
MANY = round(2 * ALLOWED_S / REFUSED_ITEM_S / 1000)
"""Requests of a thousand bad items that use up all patience."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("aside")
    (folder / "server.toml").write_text(CONFIG)
    with (
        spawned_server(folder / "data", folder / "server.toml") as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def readers() -> int:
    """Processes of this test's server that read bodies."""
    ours = psutil.Process().children(recursive=True)
    return sum("env_server.body_process" in " ".join(process.cmdline()) for process in ours)


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
    assert readers() == 0
    bad = {"items": [{"task": {"id": "x" * 100}}] * 1000}
    for _ in range(MANY):
        assert {item["status"] for item in client.post("/v1/score", json=bad).json()["items"]} == {"invalid"}
    assert answers(client) == before
    assert readers() == 1


def test_a_retry_is_answered_again_whichever_process_read_it(client: httpx.Client):
    body = json.dumps(mixed()).encode()
    headers = {"content-type": "application/json", "idempotency-key": "twice"}
    first = client.post("/v1/score", headers=headers, content=body)
    bad = {"items": [{}] * 1000}
    for _ in range(MANY):
        client.post("/v1/score", json=bad)
    assert client.post("/v1/score", headers=headers, content=body).content == first.content
    other = client.post("/v1/score", headers=headers, content=body + b" ")
    assert (other.status_code, "with another body" in other.json()["detail"]) == (422, True)


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


def test_what_reads_bodies_ends_with_the_server_that_was_killed(tmp_path: Path):
    (tmp_path / "server.toml").write_text(CONFIG)
    with spawned_server(tmp_path / "data", tmp_path / "server.toml") as url:
        large = {"items": [raw_item("x" * 2_000_000, "length.v1")]}
        assert httpx.post(f"{url}/v1/score", json=large, timeout=60).status_code == 200
        ours = psutil.Process().children(recursive=True)
        reader = next(each for each in ours if "env_server.body_process" in " ".join(each.cmdline()))
        reader.parent().kill()
        psutil.wait_procs([reader], timeout=30)
        assert not reader.is_running()
