"""Keys for a server that asks for them, made as the operator makes them."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx

from env_server.keys.store import KeyStore
from env_server.ledger.place import Place
from env_server.principal import KeyLimits, Scope

KEYED = "[keys]\nenabled = true\n"


def make_key(data_dir: Path, tenant: str, scopes: Sequence[Scope] = tuple(Scope), expires_ms: int | None = None) -> str:
    """The secret of a new key."""
    with closing(KeyStore(Place(data_dir))) as store:
        return store.add(tenant, frozenset(scopes), KeyLimits(), expires_ms).secret


def holder(url: str, secret: str) -> httpx.Client:
    """A client that brings the key."""
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer {secret}"}, timeout=60)
