"""`env-server check`: would `serve` start, and if not, why."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from env_server.app import build_sandbox, open_service
from env_server.config import ServiceConfig
from env_server.isolation import load_plugins
from env_server.keys.exposure import require_keys_outside_loopback
from env_server.keys.store import KeyStore
from env_server.ledger.writer import LedgerWriter
from env_server.rubric_book import RubricBook
from env_server.sandbox_keeper import SandboxKeeper
from rewarders.errors import AssayError, ConfigError, PluginError
from sandboxes.errors import SandboxFault


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    ok: bool
    detail: str


def checks(config: ServiceConfig) -> list[Check]:
    """Every part of the service tried once, in the order `serve` builds them."""
    return list(_checks(config))


def _checks(config: ServiceConfig) -> Iterator[Check]:
    yield _try("plug-ins", lambda: _plugins(config))
    yield _try("rubrics", lambda: _rubrics(config))
    yield _try("ledger", lambda: _ledger(config))
    yield _try("keys", lambda: _keys(config))
    yield _try("sandbox", lambda: asyncio.run(_sandbox(config)))
    yield _try("service", lambda: asyncio.run(_service(config)))


def _try(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, True, attempt())
    except AssayError as error:
        return Check(name, False, f"{error}. {error.hint}".rstrip(". "))


def _plugins(config: ServiceConfig) -> str:
    plugins = load_plugins(config)
    if troubles := "; ".join(plugins.troubles):
        raise PluginError(f"{troubles}; its rewarders are answered with faults, and all others score")
    return ", ".join(spec.name for spec in plugins.registry)


def _rubrics(config: ServiceConfig) -> str:
    return ", ".join(RubricBook(config.rubrics.values(), load_plugins(config).registry))


def _ledger(config: ServiceConfig) -> str:
    if not config.ledger.enabled:
        return "off: nothing will be recorded"
    LedgerWriter(config.ledger.place).close()
    return f"{config.ledger.place} can be written"


def _keys(config: ServiceConfig) -> str:
    require_keys_outside_loopback(config)
    if not config.keys.enabled:
        return "off: whoever is on this machine may ask"
    with closing(KeyStore(config.ledger.place)) as store:
        count = sum(key.state(time.time_ns() // 1_000_000) == "active" for key in store.all())
    return f"{count} keys count" if count else "no key counts: `env-server keys add` makes one"


async def _sandbox(config: ServiceConfig) -> str:
    rubrics = RubricBook(config.rubrics.values(), load_plugins(config).registry)
    if not rubrics.has_async_parts:
        return "not needed: no rubric runs programs"
    keeper = SandboxKeeper(build_sandbox(config.sandbox))
    if config.sandbox.backend == "off":
        return f"off: {keeper.trouble}"
    try:
        await keeper.start()
        backend = keeper.started()
    except SandboxFault as fault:
        raise ConfigError(str(fault), hint="`env-server sandbox doctor` says what to do") from fault
    finally:
        await keeper.close()
    return f"{backend.backend} holds"


async def _service(config: ServiceConfig) -> str:
    async with open_service(config):
        return f"{config.workers.processes} worker processes start"
