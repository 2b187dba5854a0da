"""`env-server keys`: add, list, revoke, rotate. The operator's: they work on the database, not through the service."""

import re
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from env_server import record_options as options
from env_server.config import load_config
from env_server.limits import LEAST_ITEMS_PER_S
from env_server.principal import KeyLimits, Scope
from env_server.terminal import AsJson, ConfigFile, err, out, print_json
from rewarders.errors import ConfigError

if TYPE_CHECKING:
    from env_server.keys.store import Issued, Key, KeyStore

keys = typer.Typer(no_args_is_help=True, help="Keys of the service's API.")

_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Plain ASCII: no two tenants look alike."""
_DAY_MS = 24 * 3600 * 1000

KeyId = Annotated[str, typer.Argument(help="Id of the key, its first 12 characters.")]
Days = Annotated[float | None, typer.Option("--expires-in-days", help="When it ends [never].")]


@keys.command()
def add(
    tenant: Annotated[str, typer.Option(help="Whose records it writes and sees.")] = "default",
    scope: Annotated[list[Scope] | None, typer.Option(help="What it is good for; may be repeated [score].")] = None,
    expires_in_days: Days = None,
    items_per_second: Annotated[float | None, typer.Option(help="Most completions a second [as many as fit].")] = None,
    requests_at_once: Annotated[int | None, typer.Option(min=1, help="Most requests under way.")] = None,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show it this once: only its digest is kept."""
    if not _TENANT.fullmatch(tenant):
        raise ConfigError(f"--tenant is {tenant!r:.80}", hint="small letters, digits, and . _ - between them")
    if items_per_second is not None and not LEAST_ITEMS_PER_S <= items_per_second < float("inf"):
        hint = f"give a number from {LEAST_ITEMS_PER_S:g}, one item in {1 / LEAST_ITEMS_PER_S:.0f} seconds"
        raise ConfigError(f"--items-per-second is {items_per_second:g}", hint=hint)
    limits = KeyLimits(items_per_s=items_per_second, requests_at_once=requests_at_once)
    with _store(config, data_dir, url) as store:
        issued = store.add(tenant, frozenset(scope or [Scope.SCORE]), limits, _ends_ms(expires_in_days))
    _show(issued, as_json=as_json)


@keys.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """List every key there ever was, without secrets."""
    with _store(config, data_dir, url) as store:
        found = [key for key in store.all() if tenant in (None, key.tenant)]
    if as_json:
        print_json([_document(key) for key in found])
    else:
        _print(found)


@keys.command()
def revoke(
    key_id: KeyId, config: ConfigFile = None, data_dir: options.DataDir = None, url: options.Url = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """End a key. Services notice within five seconds."""
    with _store(config, data_dir, url) as store:
        key = store.revoke(key_id)
    if as_json:
        print_json(_document(key))
    else:
        out.print(f"key {key.id} of {key.tenant} is revoked; services notice within five seconds")


@keys.command()
def rotate(
    key_id: KeyId,
    overlap_hours: Annotated[float, typer.Option(min=0, max=24 * 365, help="So long the old one still counts.")] = 24.0,
    expires_in_days: Days = None,
    config: ConfigFile = None,
    data_dir: options.DataDir = None,
    url: options.Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a key that is good for the same as another, which ends when the overlap has passed."""
    with _store(config, data_dir, url) as store:
        issued = store.rotate(key_id, round(overlap_hours * 3600 * 1000), _ends_ms(expires_in_days))
    _show(issued, as_json=as_json)


def _store(config: Path | None, data_dir: Path | None, url: str | None) -> "closing[KeyStore]":
    from env_server.keys.store import KeyStore

    settings = load_config(config, {"ledger.data_dir": data_dir, "ledger.url": url})
    return closing(KeyStore(settings.ledger.place))


def _ends_ms(days: float | None) -> int | None:
    if days is None:
        return None
    if not 0 < days < 36_525:
        raise ConfigError(f"--expires-in-days is {days:g}", hint="give a number over 0, a century at most")
    return _now_ms() + round(days * _DAY_MS)


def _show(issued: "Issued", *, as_json: bool) -> None:
    """The secret alone goes to standard output, so that it can be sent into a file."""
    key = issued.key
    if as_json:
        print_json({**_document(key), "key": issued.secret})
        return
    ends = f", until {_date(key.expires_ms)}" if key.expires_ms else ""
    err.print(f"key {key.id} of {key.tenant} for {', '.join(sorted(key.scopes))}{ends}; it is not shown again:")
    print(issued.secret)  # noqa: T201


def _document(key: "Key") -> dict[str, Any]:
    return {
        "id": key.id, "tenant": key.tenant, "scopes": sorted(key.scopes), "state": key.state(_now_ms()),
        "created": _date(key.created_ms), "expires": _date(key.expires_ms), "revoked": _date(key.revoked_ms),
        "used": _date(key.used_ms), "rotated": _date(key.rotated_ms), "family": key.family,
        "items_per_second": key.limits.items_per_s,
        "requests_at_once": key.limits.requests_at_once,
    }  # fmt: skip


def _print(found: "list[Key]") -> None:
    table = Table(box=None)
    for name in ("id", "tenant", "scopes", "state", "created", "expires", "used"):
        table.add_column(name, no_wrap=name != "scopes")
    for key in found:
        said = _document(key)
        days = [str(said[name] or "never")[:10] for name in ("created", "expires", "used")]
        table.add_row(key.id, key.tenant, " ".join(said["scopes"]), said["state"], *days)
    out.print(table)


def _date(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
