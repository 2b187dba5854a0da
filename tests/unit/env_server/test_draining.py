"""A service that leaves: what is refused, what is waited for, and what is cut short."""

import asyncio
import os
import signal
from typing import Any

from env_server.draining import Departure, Drain, TurnAway

Message = dict[str, Any]


class Site:
    """An application that answers when it is let, behind the door that turns away."""

    def __init__(self, *, half: bool = False) -> None:
        self.drain, self.let, self.half = Drain(), asyncio.Event(), half
        self.asked = 0

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        if self.half:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.let.wait()
        if not self.half:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(self, path: str = "/v1/score") -> tuple[int, dict[bytes, bytes]]:
        sent: list[Message] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        await TurnAway(self._app, self.drain)(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"])


def test_a_service_that_stays_adds_nothing_to_an_answer():
    async def scenario() -> tuple[int, dict[bytes, bytes]]:
        site = Site()
        site.let.set()
        return await site.ask()

    assert asyncio.run(scenario()) == (200, {})


def test_with_nothing_under_way_it_leaves_at_once():
    assert asyncio.run(asyncio.wait_for(Drain().run(0.0, 1000.0), 30)) == 0


def test_it_leaves_when_the_last_request_is_answered():
    async def scenario() -> tuple[int, list[int]]:
        site = Site()
        asking = [asyncio.create_task(site.ask()) for _ in range(3)]
        leaving = asyncio.create_task(site.drain.run(0.0, 1000.0))
        while not site.drain.refuses:
            await asyncio.sleep(0)
        refused, headers = await site.ask()
        assert (refused, headers[b"retry-after"], headers[b"connection"]) == (503, b"1", b"close")
        assert (site.asked, leaving.done()) == (3, False)
        site.let.set()
        return await asyncio.wait_for(leaving, 30), [(await one)[0] for one in asking]

    assert asyncio.run(scenario()) == (0, [200, 200, 200])


def test_what_is_not_finished_in_time_is_cut_short_and_may_be_asked_again():
    async def scenario() -> tuple[int, tuple[int, dict[bytes, bytes]]]:
        site = Site()
        asking = asyncio.create_task(site.ask())
        await asyncio.sleep(0)
        return await site.drain.run(0.0, 0.01), await asyncio.wait_for(asking, 30)

    given_up, (status, headers) = asyncio.run(scenario())
    assert (given_up, status, headers[b"retry-after"], headers[b"connection"]) == (1, 503, b"1", b"close")


def test_half_an_answer_is_not_followed_by_another():
    async def scenario() -> BaseException | None:
        site = Site(half=True)
        asking = asyncio.create_task(site.ask())
        await asyncio.sleep(0)
        await site.drain.run(0.0, 0.01)
        (ended,) = await asyncio.gather(asking, return_exceptions=True)
        return ended if isinstance(ended, BaseException) else None

    assert type(asyncio.run(scenario())).__name__ == "NotFinished"


def test_a_client_that_goes_away_is_no_request_that_was_not_finished():
    async def scenario() -> bool:
        site = Site()
        asking = asyncio.create_task(site.ask())
        await asyncio.sleep(0)
        asking.cancel()
        (ended,) = await asyncio.gather(asking, return_exceptions=True)
        return isinstance(ended, asyncio.CancelledError) and await site.drain.run(0.0, 1000.0) == 0

    assert asyncio.run(scenario())


def test_health_and_metrics_are_answered_to_the_end():
    async def scenario() -> list[int]:
        site = Site()
        site.let.set()
        await site.drain.run(0.0, 1.0)
        return [(await site.ask(path))[0] for path in ("/healthz", "/readyz", "/metrics", "/v1/rubrics")]

    assert asyncio.run(scenario()) == [200, 200, 200, 503]


def test_one_of_several_processes_leaves_once_however_often_it_is_told():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    async def run() -> None:
        departure = Departure(heeds_second=False)
        departure.heed_signals()
        leaving = asyncio.create_task(departure.wanted())
        await asyncio.sleep(0)
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        await leaving

    try:
        asyncio.run(run())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
