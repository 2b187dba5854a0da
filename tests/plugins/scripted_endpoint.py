"""The other end of a client: a socket that answers as it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def scripted_endpoint(
    *answers: bytes, check: Callable[[dict[str, str]], None] = lambda fields: None, piece_bytes: int = 65_536
) -> AsyncIterator[tuple[str, list[str]]]:
    """Answers connection after connection, in pieces; yields its URL and the idempotency keys it was sent."""
    script, keys = list(answers), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        check(fields)
        keys.append(fields.get("idempotency-key", ""))
        answer = script.pop(0)
        for start in range(0, len(answer), piece_bytes):
            writer.write(answer[start : start + piece_bytes])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", keys
    finally:
        server.close()
        await server.wait_closed()
