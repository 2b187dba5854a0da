"""What a request costs and what a key is shown, through the routes of a real service, without a socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from keyed_server import make_key
from raw_items import raw_item

from env_server.app import create_app
from env_server.principal import ANYONE, Scope
from env_server.service import Service
from env_server.terms import TERMS_PARAMETERS

Opened = Callable[..., AbstractAsyncContextManager[Service]]
Test = Callable[[httpx.AsyncClient, Service], Awaitable[None]]
LINES = {"accept": "application/x-ndjson"}


def serving(opened: Opened, test: Test, headers: dict[str, str] | None = None, **sections: Any) -> None:
    async def run() -> None:
        async with opened(**sections) as service:
            transport = httpx.ASGITransport(create_app(service))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
                await test(client, service)

    asyncio.run(run())


def batch(*texts: str, rubric: str = "length.v1") -> dict[str, Any]:
    return {"items": [raw_item(text, rubric) for text in texts]}


def statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


ONE_ITEM = {"limits": {"items_per_s": 0.001}}
"""The first request is let in, and after it nothing for a long time."""


@pytest.mark.parametrize("lines", [{}, LINES])
def test_what_was_answered_before_is_answered_again_whatever_was_asked_since(
    odd_service: Opened, lines: dict[str, str]
):
    headers = {**lines, "idempotency-key": "once"}

    async def test(client: httpx.AsyncClient, _: Service) -> None:
        first = await client.post("/v1/score", json=batch("x"), headers=headers)
        other = await client.post("/v1/score", json=batch("y"), headers=lines)
        again = await client.post("/v1/score", json=batch("x"), headers=headers)
        assert statuses([first, other, again]) == [200, 429, 200]
        assert again.content == first.content

    serving(odd_service, test, **ONE_ITEM)


@pytest.mark.parametrize("lines", [{}, LINES])
def test_a_request_that_was_refused_for_lack_of_room_costs_nothing(odd_service: Opened, lines: dict[str, str]):
    async def test(client: httpx.AsyncClient, service: Service) -> None:
        own = service.engine.pool.own
        roomy, own.config = own.config, own.config.model_copy(update={"max_waiting_jobs": 2})
        many = {"items": [raw_item(text, group="g") for text in "abcdefgh"]}
        full = [await client.post("/v1/score", json=many, headers=lines) for _ in range(2)]
        own.config = roomy
        answers = [await client.post("/v1/score", json=batch(text, text), headers=lines) for text in "xy"]
        assert statuses([*full, *answers]) == [503, 503, 200, 429]

    serving(odd_service, test, **ONE_ITEM)


def test_a_replay_is_paid_for_and_notes_and_searches_take_a_place(odd_service: Opened):
    async def test(client: httpx.AsyncClient, service: Service) -> None:
        scored = await client.post("/v1/score", json=batch("x"))
        record = f"/v1/records/{scored.json()['items'][0]['record_id']}"
        assert (await client.post(f"{record}/recompute")).status_code == 429
        note = {"kind": "label", "by": "somebody", "reason": "because", "label": True}
        assert (await client.get("/v1/records")).status_code == 200
        with service.admission.admitted(ANYONE):
            answers = [
                await client.get("/v1/records"),
                await client.post(f"{record}/notes", json=note),
                await client.post(f"{record}/recompute"),
            ]
        assert statuses(answers) == [429] * 3
        assert (await client.post(f"{record}/notes", json=note)).status_code == 201

    serving(odd_service, test, limits={"items_per_s": 0.001, "requests_at_once": 1})


@pytest.mark.parametrize("path", ["/v1/score", "/openrlhf/length.v1/get_reward", "/slime/length.v1"])
def test_who_has_enough_under_way_is_told_before_its_body_is_read(odd_service: Opened, path: str):
    async def unread():
        raise AssertionError("the body was read")
        yield b""

    async def test(client: httpx.AsyncClient, service: Service) -> None:
        json_type = {"content-type": "application/json"}
        with service.admission.admitted(ANYONE):
            refused = await client.post(path, content=unread(), headers=json_type)
        assert refused.status_code == 429
        bad = await client.post(path, content=unread(), headers={**json_type, "x-assay-priority": "most"})
        assert (bad.status_code, bad.json()["field"]) == (422, "X-Assay-Priority")

    serving(odd_service, test, limits={"requests_at_once": 1})


def test_the_document_says_which_headers_a_dialect_reads(odd_service: Opened):
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        paths = (await client.get("/openapi.json")).json()["paths"]
        for path in ("/openrlhf/{rubric}/get_reward", "/slime/{rubric}", "/nemo-gym/{rubric}/verify"):
            named = {one["name"] for one in paths[path]["post"]["parameters"] if one["in"] == "header"}
            assert named == {one["name"] for one in TERMS_PARAMETERS}, path

    serving(odd_service, test)


def test_two_idempotency_keys_are_refused(odd_service: Opened):
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        headers = [("content-type", "application/json"), ("idempotency-key", "a"), ("idempotency-key", "b")]
        refused = await client.post("/v1/score", content=json.dumps(batch("x")), headers=headers)
        assert (refused.status_code, refused.json()["field"]) == (422, "Idempotency-Key")

    serving(odd_service, test)


@pytest.mark.parametrize("lines", [{}, LINES])
def test_a_fault_that_another_try_may_mend_is_not_kept_under_a_key(odd_service: Opened, lines: dict[str, str]):
    import odd_async_rewarders as odd

    odd.SEEN.clear()
    odd.UNDER_WAY[:] = [0]
    headers = {**lines, "idempotency-key": "once"}

    async def test(client: httpx.AsyncClient, service: Service) -> None:
        body = batch("unavailable 3", rubric="waits.v1")
        answers = [await client.post("/v1/score", json=body, headers=headers) for _ in range(3)]
        rewards = [json.loads(answer.text.splitlines()[0])["items"][0]["reward"] for answer in answers]
        assert rewards == [None, 1.0, 1.0]
        assert answers[2].content == answers[1].content
        assert len((await client.get("/v1/records")).json()["records"]) == 2

    modules = {"modules": ["odd_rewarders", "odd_async_rewarders"]}
    serving(odd_service, test, plugins=modules, sandbox={"backend": "off"})


@pytest.mark.parametrize(
    ("scopes", "live"), [([Scope.WRITE], 403), ([Scope.WRITE, Scope.SCORE], 200)], ids=["write", "write and score"]
)
def test_asking_models_anew_takes_the_scope_to_score(
    odd_service: Opened, tmp_path: Path, scopes: list[Scope], live: int
):
    everything, some = (make_key(tmp_path / "data", "acme", held) for held in (tuple(Scope), scopes))

    async def test(client: httpx.AsyncClient, _: Service) -> None:
        client.headers["authorization"] = f"Bearer {everything}"
        scored = await client.post("/v1/score", json=batch("x"))
        client.headers["authorization"] = f"Bearer {some}"
        path = f"/v1/records/{scored.json()['items'][0]['record_id']}/recompute"
        assert (await client.post(path, json={"live": True})).status_code == live
        assert (await client.post(path)).status_code == 200

    serving(odd_service, test, keys={"enabled": True})


@pytest.mark.parametrize("scopes", [[Scope.SCORE], [Scope.SCORE, Scope.ADMIN]], ids=["tenant", "operator"])
def test_what_counts_everybodys_requests_is_shown_to_the_operator_alone(
    odd_service: Opened, tmp_path: Path, scopes: list[Scope]
):
    secret = make_key(tmp_path / "data", "acme", scopes)

    async def test(client: httpx.AsyncClient, _: Service) -> None:
        told = (await client.get("/readyz")).json()
        assert told["status"] == "ready"
        assert {"workers", "calls", "ledger"} <= told.keys() if Scope.ADMIN in scopes else "workers" not in told

    serving(odd_service, test, {"authorization": f"Bearer {secret}"}, keys={"enabled": True})
