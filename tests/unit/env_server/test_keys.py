"""Keys in the database, and as a server process knows them."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from env_server.keys.errors import Unauthorized
from env_server.keys.ring import KeyRing
from env_server.keys.secret import KEY_FORM, digest_of, id_of, new_secret
from env_server.keys.store import Issued, Key, KeyStore
from env_server.ledger.opening import BUSY_TIMEOUT_MS
from env_server.ledger.place import SQLITE_FILE, Place
from env_server.principal import KeyLimits, Principal, Scope
from rewarders.errors import ConfigError, LedgerError, NotFound

T = TypeVar("T")
SCORE = frozenset({Scope.SCORE})
HOUR_MS = 3600 * 1000


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    url = request.getfixturevalue("postgres").make_database() if request.param == "postgres" else None
    return Place(tmp_path / "data", url)


@pytest.fixture
def store(place: Place) -> Iterator[KeyStore]:
    with closing(KeyStore(place)) as opened:
        yield opened


def issue(store: KeyStore, tenant: str = "acme", expires_ms: int | None = None) -> Issued:
    return store.add(tenant, SCORE, KeyLimits(items_per_s=2.5, requests_at_once=3), expires_ms)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def on_ring(store: KeyStore, ask: Callable[[KeyRing], Awaitable[T]], fresh_s: float = 60.0) -> T:
    """What is answered by a ring that is closed again."""

    async def run() -> T:
        ring = KeyRing(store, fresh_s=fresh_s)
        try:
            return await ask(ring)
        finally:
            await ring.close()

    return asyncio.run(run())


def test_a_key_has_the_form_that_is_looked_for_and_no_two_are_alike():
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert all(KEY_FORM.fullmatch(secret) for secret in made)
    assert len(set("".join(made))) == 26 + 26 + 10 + 1


def test_a_key_comes_back_as_it_was_made_but_for_its_secret(store: KeyStore):
    issued = issue(store, expires_ms=now_ms() + HOUR_MS)
    (kept,) = store.all()
    assert kept == issued.key
    assert (kept.id, kept.digest) == (id_of(issued.secret), digest_of(issued.secret))
    assert (kept.limits.items_per_s, kept.limits.requests_at_once) == (2.5, 3)
    assert issued.secret[12:] not in f"{issued} {kept}"


def test_no_file_of_the_database_holds_a_secret(tmp_path: Path):
    with closing(KeyStore(Place(tmp_path))) as store:
        secret = issue(store).secret
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret[:12].encode() in written
    assert secret[12:].encode() not in written


def test_a_revoked_key_stays_revoked_from_the_first_time_on(store: KeyStore):
    key = issue(store).key
    first = store.revoke(key.id)
    assert first.state(now_ms()) == "revoked"
    assert store.revoke(key.id) == first
    with pytest.raises(NotFound, match="there is no key"):
        store.revoke("asy_nosuchid")


def test_a_rotated_key_counts_as_long_as_the_overlap_and_the_new_one_is_good_for_the_same(store: KeyStore):
    old = issue(store, expires_ms=now_ms() + 48 * HOUR_MS).key
    new = store.rotate(old.id, HOUR_MS, None).key
    kept = {key.id: key for key in store.all()}
    assert (new.tenant, new.scopes, new.limits) == (old.tenant, old.scopes, old.limits)
    assert kept[old.id].state(now_ms()) == "active"
    assert kept[old.id].state(now_ms() + HOUR_MS + 1) == "expired"
    assert new.expires_ms is not None
    assert new.expires_ms - new.created_ms >= 47 * HOUR_MS


def test_an_overlap_does_not_lengthen_the_old_keys_life(store: KeyStore):
    ends_ms = now_ms() + HOUR_MS
    old = issue(store, expires_ms=ends_ms).key
    store.rotate(old.id, 24 * HOUR_MS, None)
    assert {key.id: key.expires_ms for key in store.all()}[old.id] == ends_ms


def test_a_key_is_rotated_once_and_the_new_one_has_a_life_and_a_family(store: KeyStore):
    first = issue(store, expires_ms=now_ms() + 48 * HOUR_MS).key
    second = store.rotate(first.id, HOUR_MS, None).key
    with pytest.raises(ConfigError, match="was rotated before"):
        store.rotate(first.id, 24 * HOUR_MS, None)
    third = store.rotate(second.id, HOUR_MS, None).key
    kept = {key.id: key for key in store.all()}
    assert kept.keys() == {first.id, second.id, third.id}
    assert {key.principal.family for key in kept.values()} == {first.id}
    assert third.expires_ms is not None
    assert third.expires_ms - third.created_ms >= 47 * HOUR_MS


@pytest.mark.parametrize("state", ["revoked", "expired"])
def test_a_key_that_counts_no_more_is_not_rotated(store: KeyStore, state: str):
    key = issue(store, expires_ms=now_ms() - 1 if state == "expired" else None).key
    if state == "revoked":
        store.revoke(key.id)
    with pytest.raises(ConfigError, match=state):
        store.rotate(key.id, HOUR_MS, None)
    assert len(store.all()) == 1


def test_a_scope_of_a_newer_version_allows_nothing(tmp_path: Path):
    with closing(KeyStore(Place(tmp_path))) as store:
        key = issue(store).key
        with closing(sqlite3.connect(tmp_path / SQLITE_FILE, isolation_level=None)) as other:
            other.execute("update keys set scopes = 'score everything'")
        assert store.all()[0].scopes == SCORE
        assert key.scopes == SCORE


def test_who_has_a_key_is_told_by_the_whole_of_it(store: KeyStore):
    issued = issue(store)
    principal = on_ring(store, lambda ring: ring.holder(issued.secret))
    assert (principal.tenant, principal.key_id, principal.scopes) == ("acme", issued.key.id, SCORE)
    assert principal.limits == issued.key.limits
    for other in (issued.secret[:-1] + ("a" if issued.secret[-1] != "a" else "b"), new_secret()):
        with pytest.raises(Unauthorized, match="not known"):
            on_ring(store, lambda ring, other=other: ring.holder(other))  # type: ignore[misc]


def test_an_expired_key_lets_nobody_in_without_being_read_again(store: KeyStore, monkeypatch: pytest.MonkeyPatch):
    issued = issue(store, expires_ms=now_ms() + HOUR_MS)

    async def ask(ring: KeyRing) -> None:
        await ring.holder(issued.secret)
        later = time.time_ns() + 2 * HOUR_MS * 1_000_000
        monkeypatch.setattr(time, "time_ns", lambda: later)
        with pytest.raises(Unauthorized, match="expired"):
            await ring.holder(issued.secret)

    on_ring(store, ask)


def test_a_revocation_counts_once_what_is_known_is_no_longer_fresh(store: KeyStore):
    issued = issue(store)

    async def ask(ring: KeyRing) -> None:
        await ring.holder(issued.secret)
        store.revoke(issued.key.id)
        await ring.holder(issued.secret)
        ring._read_s -= 60.0
        with pytest.raises(Unauthorized, match="revoked"):
            await ring.holder(issued.secret)

    on_ring(store, ask)


class CountingStore(KeyStore):
    """Counts its readings, and can be out of order."""

    readings = 0
    broken = False

    def all(self) -> list[Key]:
        self.readings += 1
        if self.broken:
            raise LedgerError("gone")
        return super().all()


def test_a_key_that_was_just_made_is_known(store: KeyStore):
    first = issue(store)

    async def ask(ring: KeyRing) -> None:
        await ring.holder(first.secret)
        second = issue(store, "other")
        assert (await ring.holder(second.secret)).tenant == "other"

    on_ring(store, ask)


def test_a_thousand_strangers_at_once_cost_two_looks_into_the_database(tmp_path: Path):
    store = CountingStore(Place(tmp_path))

    async def ask(ring: KeyRing) -> None:
        answers = await asyncio.gather(*(ring.holder(new_secret()) for _ in range(1000)), return_exceptions=True)
        assert all(isinstance(answer, Unauthorized) for answer in answers)

    on_ring(store, ask)
    assert store.readings == 2


def test_keys_that_cannot_be_read_let_nobody_in_and_are_read_once_they_can(tmp_path: Path):
    store = CountingStore(Place(tmp_path))
    issued = issue(store)

    async def ask(ring: KeyRing) -> None:
        await ring.holder(issued.secret)
        store.broken = True
        with pytest.raises(LedgerError):
            await ring.holder(issued.secret)
        store.broken = False
        await ring.holder(issued.secret)

    on_ring(store, ask, fresh_s=0.0)


def test_whoever_hangs_up_does_not_take_the_answer_from_the_others(tmp_path: Path):
    store = CountingStore(Place(tmp_path))
    issued = issue(store)

    async def ask(ring: KeyRing) -> None:
        first, second = (asyncio.ensure_future(ring.holder(issued.secret)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).tenant == "acme"

    on_ring(store, ask)
    assert store.readings == 1


def test_a_use_is_noted_and_the_next_one_within_a_minute_is_not(store: KeyStore):
    issued = issue(store)
    noted: list[int] = []
    write = store.note_use

    def note_use(key_id: str, at_ms: int) -> None:
        noted.append(at_ms)
        write(key_id, at_ms)

    store.note_use = note_use  # type: ignore[method-assign]

    async def ask(ring: KeyRing) -> None:
        for _ in range(20):
            await ring.holder(issued.secret)
        await asyncio.gather(*ring._noting)
        assert [key.used_ms for key in store.all()] == noted

    on_ring(store, ask)
    assert len(noted) == 1


def test_another_process_does_not_note_what_one_has_noted(store: KeyStore):
    issued = issue(store)
    store.note_use(issued.key.id, now_ms())
    store.note_use = lambda *_: pytest.fail("noted again")  # type: ignore[method-assign]
    on_ring(store, lambda ring: ring.holder(issued.secret))


def test_an_older_use_does_not_replace_a_newer_one(store: KeyStore):
    key = issue(store).key
    for at_ms in (2000, 1000):
        store.note_use(key.id, at_ms)
    assert store.all()[0].used_ms == 2000


def test_a_use_that_cannot_be_noted_refuses_nobody(store: KeyStore):
    issued = issue(store)

    def refuse(*_: object) -> None:
        raise LedgerError(f"locked for {BUSY_TIMEOUT_MS} ms")

    store.note_use = refuse  # type: ignore[method-assign]
    assert on_ring(store, lambda ring: ring.holder(issued.secret)).tenant == "acme"


def test_bodies_that_are_parsed_keep_nobody_from_being_let_in(store: KeyStore):
    secret, done = issue(store).secret, threading.Event()

    async def ask(ring: KeyRing) -> Principal:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, done.wait)
        try:
            return await asyncio.wait_for(ring.holder(secret), 30)
        finally:
            done.set()
            await busy

    assert on_ring(store, ask).tenant == "acme"
