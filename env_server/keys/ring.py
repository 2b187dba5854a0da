"""The keys as one server process knows them: read whole, a few seconds old at most, so that no request waits for its
own look into the database, whatever keys a stranger makes up."""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from env_server.keys.errors import Unauthorized
from env_server.keys.secret import digest_of, id_of
from env_server.keys.store import Key, KeyStore
from env_server.observing.logs import say
from env_server.principal import Principal
from rewarders.errors import LedgerError

FRESH_S = 5.0
"""A key that was revoked counts no more after this time."""
_STRANGERS_S = 0.5
"""For a key that is not known the keys are read anew, so often at most: it may just have been made."""
_NOTED_EVERY_MS = 60_000
_THREADS = 2
"""Of its own: who is let in must not wait for bodies that are parsed. One reads while the other waits to write."""
P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


class KeyRing:
    """Knows every key. For one event loop."""

    def __init__(self, store: KeyStore, *, fresh_s: float = FRESH_S) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="keys")
        self._fresh_s = fresh_s
        self._known: dict[str, Key] = {}
        self._read_s = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._noted_ms: dict[str, int] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def holder(self, secret: str) -> Principal:
        """Who has the key.

        Raises:
            Unauthorized: it is none, or counts no more.
            LedgerError: the keys cannot be read.
        """
        await self._refresh(time.monotonic() - self._fresh_s)
        if id_of(secret) not in self._known:
            await self._look_again()
        key, now_ms = self._known.get(id_of(secret)), time.time_ns() // 1_000_000
        if key is None or not hmac.compare_digest(key.digest, digest_of(secret)):
            raise Unauthorized("the key is not known", hint="`env-server keys list` says which there are")
        if (state := key.state(now_ms)) != "active":
            raise Unauthorized(f"the key is {state}", hint="ask the operator for a new one")
        self._note_use(key, now_ms)
        return key.principal

    async def close(self) -> None:
        """Finish what is being written, and let go of the database."""
        await asyncio.gather(*self._noting)
        self._threads.shutdown(wait=False)
        self._store.close()

    async def _aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    async def _look_again(self) -> None:
        now_s = time.monotonic()
        await asyncio.sleep(max(0.0, self._read_s + _STRANGERS_S - now_s))
        await self._refresh(now_s)

    async def _refresh(self, oldest_s: float) -> None:
        """Know the keys as they were at that time, or later."""
        while self._read_s < oldest_s:
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)  # whoever hangs up does not take the answer from the others

    async def _read(self) -> None:
        began_s = time.monotonic()
        try:
            self._known = {key.id: key for key in await self._aside(self._store.all)}
            self._read_s = began_s
        finally:
            self._reading = None

    def _note_use(self, key: Key, now_ms: int) -> None:
        if now_ms - max(self._noted_ms.get(key.id, 0), key.used_ms or 0) < _NOTED_EVERY_MS:
            return
        self._noted_ms[key.id] = now_ms
        task = asyncio.create_task(self._write_use(key.id, now_ms))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _write_use(self, key_id: str, now_ms: int) -> None:
        try:
            await self._aside(self._store.note_use, key_id, now_ms)
        except LedgerError:  # nobody is refused for that
            say(_log, logging.WARNING, "a key's use could not be noted", key=key_id)
