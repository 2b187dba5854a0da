"""The one place where the service is built, wired and closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from env_server.config import ServiceConfig
from env_server.engine import SERVICE_BUILD, Engine
from env_server.idempotency import Replays
from env_server.ledger.reader import LedgerReader
from env_server.ledger.writer import LedgerWriter
from env_server.routes import documents, reading, score
from env_server.rubric_book import RubricBook
from env_server.service import Service
from env_server.workers import WorkerPool
from rewarders.errors import ConfigError
from rewarders.registry import Registry


def create_app(service: Service) -> FastAPI:
    """The HTTP face of a service that is open."""
    app = documents.DocumentedApp(
        title="Assay reward service", version=SERVICE_BUILD.split()[1], docs_url=None, redoc_url=None
    )
    app.state.service = service
    documents.install(app)
    app.include_router(score.router)
    app.include_router(reading.router)
    return app


@asynccontextmanager
async def open_service(config: ServiceConfig) -> AsyncIterator[Service]:
    """Registry, rubrics, ledger, workers, engine, in this order; closed in the opposite one.

    Raises:
        ConfigError, PluginError: something does not fit together.
        LedgerError: the ledger cannot be opened.
    """
    registry = Registry.load(config.plugins.load, config.plugins.modules)
    _check_budgets(registry, config)
    rubrics = RubricBook(config.rubrics.values(), registry)
    ledger, reader = _open_ledger(config)
    pool = WorkerPool(config.workers, config.plugins, registry.fingerprint)
    try:
        await pool.start()
        yield Service(config, registry, Engine(rubrics, pool, ledger), Replays(ledger), reader)
    finally:
        await pool.close()
        if ledger and reader:
            ledger.close()
            reader.close()


def _check_budgets(registry: Registry, config: ServiceConfig) -> None:
    """The wall clock must not end a call before its CPU budget does: whoever spends it all would go unscored."""
    for spec in registry:
        if spec.cpu_budget_s >= config.workers.call_timeout_s:
            raise ConfigError(
                f"workers.call_timeout_s is {config.workers.call_timeout_s:g}, and {spec.name} may take "
                f"{spec.cpu_budget_s:g} s of CPU time",
                hint="give call_timeout_s several times the largest CPU budget",
            )


def _open_ledger(config: ServiceConfig) -> tuple[LedgerWriter | None, LedgerReader | None]:
    if not config.ledger.enabled:
        return None, None
    writer = LedgerWriter(
        config.ledger.data_dir,
        max_waiting_records=config.ledger.max_waiting_records,
        keep_replies_s=config.ledger.keep_replies_h * 3600,
    )
    return writer, LedgerReader(config.ledger.data_dir)
