"""A client that takes nothing of its answer is given up, and nothing is left of it."""

import asyncio
import socket
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from env_server import serving
from env_server.routes import streaming
from env_server.serving_settings import ServerConfig

Message = MutableMapping[str, Any]


def test_an_answer_that_nobody_takes_is_given_up_and_its_work_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "STALLED_S", 0.01)
    sent: list[Message] = []
    ended: list[bool] = []

    async def pieces() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"{}\n"
        finally:
            ended.append(True)

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 3:
            await asyncio.Event().wait()

    async def run() -> None:
        rest = pieces()
        answer = streaming._Lines(await anext(rest), rest)
        await answer({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)

    asyncio.run(run())
    assert len(sent) == 3
    assert all(message.get("more_body", True) for message in sent), "an answer that was cut looks finished"
    assert ended == [True]


def test_connections_are_hung_up_on_where_their_answers_are_not_taken():
    with serving._listen(ServerConfig(port=0)) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == serving._MOST_UNREAD_MS
