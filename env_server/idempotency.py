"""`Idempotency-Key`: a request that is sent again is answered again, not scored again."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

from anyio import to_thread

from env_server.engine import KeepReply
from env_server.ledger.kept_replies import KeyTaken
from env_server.ledger.writer import LedgerWriter
from rewarders.digests import digest_bytes
from rewarders.errors import IdempotencyConflict, RequestError

MAX_KEY_CHARS = 200


class Replays:
    """Answers kept by key. They live in the ledger's database, written with the records they belong to."""

    def __init__(self, ledger: LedgerWriter | None) -> None:
        self._ledger = ledger
        self._in_flight: set[str] = set()

    async def answer(self, key: str, body: bytes, compute: Callable[[KeepReply], Awaitable[bytes]]) -> bytes:
        """The kept answer for the key, or a newly computed one, which is then kept.

        Raises:
            RequestError: the key is not one (422), or was used with another body (422).
            IdempotencyConflict: the first request with this key is still running (409).
        """
        if not (0 < len(key) <= MAX_KEY_CHARS and key.isascii() and key.isprintable()):
            raise RequestError(f"an Idempotency-Key has 1 to {MAX_KEY_CHARS} printable ASCII characters")
        if key in self._in_flight:
            raise IdempotencyConflict("the first request with this Idempotency-Key is still running")
        self._in_flight.add(key)
        try:
            request_digest = digest_bytes(body)
            kept = await to_thread.run_sync(self._ledger.kept_reply, key) if self._ledger else None
            if kept is None:
                try:
                    return await compute(KeepReply(key, request_digest))
                except KeyTaken as taken:  # by another process on the same database
                    kept = taken.kept.request_digest, taken.kept.body
            if kept[0] != request_digest:
                _refuse_other_body()
            return kept[1]
        finally:
            self._in_flight.discard(key)


def _refuse_other_body() -> NoReturn:
    raise RequestError("this Idempotency-Key was used with another body", hint="send a new key with a new request")
