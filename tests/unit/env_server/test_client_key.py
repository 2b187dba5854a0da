"""Where a client's key comes from, and where it does not go."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from env_server.client import AsyncRewardClient, RequestRefused, RewardClient, ServiceUnreachable
from env_server.client_key import key_for_client, key_in
from env_server.dialects.patience import PATIENT
from rewarders.errors import ConfigError

KEY, OTHER = ("asy_" + word * 5 + "abc" for word in ("7Clients", "8Others0"))
REFUSAL = b'{"type": "t", "title": "t", "status": 401, "detail": "the key is revoked", "hint": "ask the operator"}'


@pytest.fixture(autouse=True)
def no_keys_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_KEY", raising=False)
    monkeypatch.delenv("ASSAY_KEY_FILE", raising=False)


@asynccontextmanager
async def endpoint(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Gives every request the same answer; yields its URL and the requests."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests
    finally:
        server.close()
        await server.wait_closed()


def sent(key: str | None = None) -> bytes:
    """The head of what a client sends."""

    async def run() -> bytes:
        async with endpoint(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as (url, requests):
            async with AsyncRewardClient(url, key=key) as client:
                assert await client.ready()
            return requests[0]

    return asyncio.run(run())


def test_a_key_is_sent_as_a_bearer_and_nowhere_else():
    head = sent(KEY)
    assert f"\r\nauthorization: Bearer {KEY}\r\n".encode() in head
    assert head.count(KEY.encode()) == 1
    assert KEY.encode() not in head.partition(b"\r\n")[0]


def test_without_a_key_nothing_is_sent():
    assert b"authorization" not in sent().lower()


def test_the_key_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("ASSAY_KEY_FILE", str(tmp_path / "key"))
    assert KEY.encode() in sent()
    monkeypatch.setenv("ASSAY_KEY", OTHER)
    assert OTHER.encode() in sent()
    assert KEY.encode() in sent(KEY)


def test_what_is_pickled_for_another_process_holds_no_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSAY_KEY", KEY)
    assert KEY.encode() not in pickle.dumps(PATIENT)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "ключ", "nul\0", KEY + " "])
def test_what_cannot_be_a_key_is_refused_without_being_repeated(key: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="holds no key") as refused:
        key_for_client(key)
    assert not key or key not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"grading\.key_file is .*nothing.* cannot be read: No such file"):
        key_in(tmp_path / "nothing", "grading.key_file")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is not text"):
        key_in(tmp_path / "binary", "grading.key_file")
    (tmp_path / "empty").write_text(" \n")
    with pytest.raises(ConfigError, match="holds no key"):
        key_in(tmp_path / "empty", "grading.key_file")


@pytest.mark.parametrize("url", [f"http://any:{KEY}@127.0.0.1:9", f"http://any:{KEY}@127.0.0.1:99999999"])
def test_a_key_in_the_address_is_refused_without_being_repeated(url: str):
    with pytest.raises(ConfigError, match="has a user in it") as refused:
        RewardClient(url)
    assert KEY not in f"{refused.value} {refused.value.hint}"


def test_a_refused_key_is_told_and_not_tried_again():
    async def run() -> int:
        answer = b"HTTP/1.1 401 X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(REFUSAL), REFUSAL)
        async with endpoint(answer) as (url, requests), AsyncRewardClient(url, key=KEY) as client:
            with pytest.raises(RequestRefused, match="status 401: the key is revoked") as refused:
                await client.rubrics()
            assert (refused.value.hint, refused.value.status) == ("ask the operator", 401)
            assert KEY not in f"{refused.value!r} {refused.value.problem}"
        return len(requests)

    assert asyncio.run(run()) == 1


def test_no_error_repeats_the_key():
    async def run() -> str:
        async with AsyncRewardClient("http://127.0.0.1:9", key=KEY, retries=0) as client:
            with pytest.raises(ServiceUnreachable) as refused:
                await client.rubrics()
            return f"{refused.value!r} {refused.value.hint} {client!r}"

    assert KEY not in asyncio.run(run())
