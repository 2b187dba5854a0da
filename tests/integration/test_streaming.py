"""Answers in lines over real HTTP: finished groups come while others are under way, and no break spoils anything."""

import json
import os
import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from raw_items import raw_item
from sqlalchemy import select
from watched_runs import until

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.client import RewardClient
from env_server.ledger.opening import open_to_read
from env_server.ledger.place import Place
from env_server.ledger.schema import records
from env_server.schemas import Item, Run, ScoreRequest

RUN = Run(id="streamed")
SLOW = """
[rubrics."slow.v1"]
parts = [{{ rewarder = "slow.vowels", params = {{ folder = "{folder}", seconds = {seconds} }} }}]
[rubrics."gated.v1"]
parts = [{{ rewarder = "slow.gated", params = {{ folder = "{folder}" }} }}]
[rubrics."talks.v1"]
parts = [{{ rewarder = "slow.talks" }}]
"""


@pytest.fixture
def slow_toml(server_toml: str, tmp_path: Path) -> str:
    """With a rubric whose rewarder takes 0.2 s, and one that waits for a file `go`."""
    slow = SLOW.format(folder=tmp_path, seconds=0.2)
    return server_toml.replace('"odd_rewarders"', '"odd_rewarders", "slow_rewarders"') + slow


def items_of(*rubrics: str, size: int = 2) -> list[Item]:
    """A group of some completions for each rubric."""
    return [
        Item.model_validate(raw_item(f"{group} {n}", rubric, group=f"g{group}", sample=n))
        for group, rubric in enumerate(rubrics)
        for n in range(size)
    ]


def recorded(data_dir: Path) -> Counter[tuple[str, int]]:
    """How often each sample of each group has a record."""
    database = open_to_read(Place(data_dir))
    with database.connect().execution_options(read_only=True) as connection:
        found = connection.execute(select(records.c.group, records.c.sample).where(records.c.run == RUN.id)).all()
    database.dispose()
    return Counter((group, sample) for group, sample in found)


def once(items: list[Item]) -> Counter[tuple[str, int]]:
    return Counter((item.group, item.sample) for item in items)


def body_of(items: list[Item]) -> bytes:
    return ScoreRequest(items=items, run=RUN).model_dump_json(exclude_none=True).encode()


def read(url: str, items: list[Item], key: str = "", *, most: int | None = None) -> list[dict[str, Any]]:
    """The lines of an answer; the connection is cut after so many."""
    headers = {"content-type": "application/json", "accept": "application/x-ndjson"}
    headers |= {"idempotency-key": key} if key else {}
    request = {"content": body_of(items), "headers": headers, "timeout": 30}
    found: list[dict[str, Any]] = []
    with httpx.stream("POST", f"{url}/v1/score", **request) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            found += [json.loads(line)] if line else []
            if len(found) == most:
                break
    return found


def test_a_quick_group_is_answered_and_recorded_while_a_slow_one_is_under_way(
    make_server, slow_toml: str, tmp_path: Path
):
    server = make_server(toml=slow_toml)
    items = items_of("gated.v1", "length.v1")[1:]
    with RewardClient(server.url) as client, closing(client.stream(items, RUN)) as parts:
        first = next(parts)
        assert first.indices == (1, 2)
        ids = [item.record_id for item in first.items]
        assert [client.record(record)["id"] for record in ids] == ids, "a line was sent before its records were durable"
        assert recorded(server.data_dir) == once(items[1:])
        (tmp_path / "go").touch()
        assert [part.indices for part in parts] == [(0,)]
    assert recorded(server.data_dir) == once(items)


def test_a_connection_that_is_cut_is_gone_on_with_and_nothing_is_scored_twice(make_server, slow_toml: str):
    server = make_server(toml=slow_toml)
    items = items_of("length.v1", "slow.v1", "slow.v1")
    (first,) = read(server.url, items, "k", most=1)
    until(lambda: is_free(server.url, "k"))
    *parts, end = read(server.url, items, "k")
    assert parts[0] == first
    assert end == {"done": True, "items": 6, "failed": 0, "groups": 3}
    assert recorded(server.data_dir) == once(items)
    assert sorted(read(server.url, items, "k"), key=str) == sorted([*parts, end], key=str)
    assert recorded(server.data_dir) == once(items)


def is_free(url: str, key: str) -> bool:
    """Whether the service has seen that the last connection with the key is gone."""
    headers = {"content-type": "application/json", "idempotency-key": key}
    status = httpx.post(f"{url}/v1/score", content=body_of([]), headers=headers).status_code
    return {409: False, 422: True}[status]  # in flight, or another body


def test_what_a_client_left_behind_is_dropped(make_server, slow_toml: str):
    server = make_server(toml=slow_toml)
    items = items_of("length.v1", *["slow.v1"] * 100)
    with RewardClient(server.url) as client:
        with closing(client.stream(items, RUN)) as parts:
            next(parts)
        assert [part.indices for part in client.stream(items_of("slow.v1"), RUN)] == [(0, 1)]
    assert len(recorded(server.data_dir)) < len(items) / 2, "work for nobody was done before that of the next client"


def test_a_key_is_for_one_batch_and_one_way_of_asking(make_server):
    server = make_server()
    items = items_of("length.v1", "length.v1")
    plain = {"content-type": "application/json"}
    read(server.url, items, "k")
    for sent in (body_of(items[:2]), body_of(items)):
        answer = httpx.post(f"{server.url}/v1/score", content=sent, headers=plain | {"idempotency-key": "k"})
        assert answer.status_code == 422
    httpx.post(f"{server.url}/v1/score", content=body_of(items), headers=plain | {"idempotency-key": "other"})
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        read(server.url, items, "other")
    assert recorded(server.data_dir) == Counter(dict.fromkeys(once(items), 2))


def test_a_batch_that_is_refused_is_refused_with_a_status(make_server):
    server = make_server()
    headers = {"content-type": "application/json", "accept": "text/html, Application/X-NDJSON; q=0.9"}
    refused = httpx.post(f"{server.url}/v1/score", content=b'{"items": 1}', headers=headers)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    one_wrong = b'{"items": [1, {"task": 2}]}'
    told = httpx.post(f"{server.url}/v1/score", content=one_wrong, headers=headers)
    *lines, end = map(json.loads, told.text.splitlines())
    assert told.headers["content-type"].startswith("application/x-ndjson")
    assert sorted(line["problems"][0]["item"] for line in lines) == [0, 1]
    assert end == {"done": True, "items": 2, "failed": 0, "groups": 2}


@pytest.mark.parametrize("moment", range(int(os.environ.get("ASSAY_KILLS", "2"))))
def test_a_server_killed_in_the_middle_answers_every_group_once_and_records_it_once(
    make_server, slow_toml: str, moment: int
):
    server = make_server(toml=slow_toml)
    items = items_of(*["length.v1", "slow.v1"] * 8)
    seen: list[int] = []
    with RewardClient(server.url, retries=20) as client:
        for part in client.stream(items, RUN, f"step-{moment}"):
            seen += part.indices
            assert [item.sample for item in part.items] == [items[index].sample for index in part.indices]
            if len(seen) == 2:
                time.sleep(random.Random(moment).uniform(0, 0.5))
                server.kill()
                server.start()
    assert sorted(seen) == list(range(len(items)))
    assert server.stop() == 0
    assert recorded(server.data_dir) == once(items)
    assert verify(DatabaseSource(Place(server.data_dir)), processes=1).findings == ()


def test_a_key_streamed_from_two_servers_at_once_is_recorded_once(make_server, slow_toml: str):
    servers = make_server(toml=slow_toml), make_server(toml=slow_toml)
    items = items_of("length.v1", "slow.v1", "length.v1")
    with ThreadPoolExecutor(2) as racers:
        one, other = racers.map(lambda server: read(server.url, items, "k"), servers)
    assert sorted(one, key=str) == sorted(other, key=str)
    assert recorded(servers[0].data_dir) == once(items)


def test_a_client_that_reads_nothing_leaves_the_others_served(make_server, slow_toml: str):
    """Its socket is full, its answers are more than that, and the service holds a bounded number of them."""
    server = make_server(toml=slow_toml)
    items = items_of(*["talks.v1"] * 1000, size=1)
    body = body_of(items)
    fields = ["host: x", "content-type: application/json", "accept: application/x-ndjson"]
    head = "\r\n".join(["POST /v1/score HTTP/1.1", *fields, f"content-length: {len(body)}", "", ""])
    with ExitStack() as stalled:
        for _ in range(2):
            one = stalled.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", server.port))
            one.sendall(head.encode() + body)
        assert read(server.url, items_of("length.v1"))[-1]["done"]
        assert settled(server.data_dir) < len(items), "everything was scored for clients that read nothing"


def settled(data_dir: Path) -> int:
    """How many records there are, once it does not grow."""
    before = -1
    while (now := sum(recorded(data_dir).values())) != before:
        before = now
        time.sleep(0.5)
    return now
