"""Waiting for a turn is bounded, and whoever waited in vain is told to come back, never that a program failed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from sandboxes.namespaces import NamespaceSandbox
from sandboxes.service.app import create_app
from sandboxes.service.paced import PacedSandbox
from sandboxes.service.server import build_server
from sandboxes.service.settings import ServiceSettings
from sandboxes.types import Limits, Program
from sandboxes.wire import Busy

SLEEPS = Program(source="import time; time.sleep(30)", limits=Limits(wall_s=30))
HELLO = Program(source="print('hello')")


@asynccontextmanager
async def paced(**bounds: int) -> AsyncIterator[PacedSandbox]:
    backend = NamespaceSandbox(parallel=4)
    try:
        yield PacedSandbox(backend, **{"parallel": 1, "most_open": 1, **bounds}, wait_s=0.2)
    finally:
        await backend.close()


def while_one_sleeps(work: Callable[[PacedSandbox], Awaitable[None]]) -> None:
    async def both() -> None:
        async with paced() as sandbox:
            asleep = asyncio.create_task(sandbox.run(SLEEPS))
            await asyncio.sleep(0.05)
            try:
                await work(sandbox)
            finally:
                asleep.cancel()
                await asyncio.gather(asleep, return_exceptions=True)
            assert (await sandbox.run(HELLO)).succeeded, "the turn came back"

    asyncio.run(both())


async def run(sandbox: PacedSandbox) -> None:
    await sandbox.run(HELLO)


async def link(sandbox: PacedSandbox) -> None:
    await sandbox.run_linked(HELLO, HELLO)


async def open_one(sandbox: PacedSandbox) -> None:
    async with sandbox.open(HELLO):
        pass


@pytest.mark.parametrize("work", [run, link, open_one])
def test_who_gets_no_turn_is_told_to_come_back(work: Callable[[PacedSandbox], Awaitable[None]]):
    async def refused(sandbox: PacedSandbox) -> None:
        with pytest.raises(Busy, match=r"no turn to run within 0.2 s"):
            await work(sandbox)

    while_one_sleeps(refused)


def test_an_open_submission_that_does_not_run_takes_a_room_and_no_turn():
    async def work() -> None:
        async with paced() as sandbox, sandbox.open(HELLO) as submission:
            assert sandbox.full
            assert (await sandbox.run(HELLO)).succeeded
            with pytest.raises(Busy, match="no room"):
                await open_one(sandbox)
            assert (await submission.run()).succeeded

    asyncio.run(work())


@pytest.mark.parametrize(("path", "status"), [("/v1/run", 503), ("/run_code", 504)])
def test_over_http_it_is_the_status_that_clients_try_again(path: str, status: int):
    async def work() -> httpx.Response:
        backend = NamespaceSandbox(parallel=4)
        server = build_server(backend, ServiceSettings(parallel=1, turn_s=0.2))
        transport = httpx.ASGITransport(create_app(server))
        body = {"program": {"source": "pass"}, "code": "pass", "language": "python"}
        if path == "/v1/run":
            body = {"program": body["program"]}
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
                asleep = asyncio.create_task(server.sandbox.run(SLEEPS))
                await asyncio.sleep(0.05)
                response = await http.post(path, json=body)
                asleep.cancel()
                return response
        finally:
            await backend.close()

    response = asyncio.run(work())
    assert (response.status_code, response.json()["code"]) == (status, "busy")
    assert int(response.headers["retry-after"]) > 0
