"""The one place where the service is built, wired and closed."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from fastapi import FastAPI

from env_server.calls import CallPool
from env_server.config import RemoteConfig, SandboxConfig, ServiceConfig
from env_server.engine import SERVICE_BUILD, Engine
from env_server.idempotency import Replays
from env_server.isolation import LoadedPlugins, load_plugins
from env_server.judges.calibrations import Calibrations
from env_server.judges.keeper import ModelKeeper
from env_server.ledger.reader import LedgerReader
from env_server.ledger.writer import LedgerWriter
from env_server.routes import documents, reading, score
from env_server.rubric_book import RubricBook
from env_server.sandbox_keeper import Backend, SandboxKeeper
from env_server.service import Service
from env_server.worker_pools import IsolatedPool, WorkerPools
from env_server.workers import WorkerPool
from rewarders.errors import ConfigError
from rewarders.registry import Registry
from sandboxes.errors import SandboxMisconfigured

_OPEN_AT_ONCE = 2
"""A call may have a second submission open beside its first. `parallel` calls have their turn at once: were there no
more places than turns, each call could hold one and wait for a second for ever."""


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
    """Registry, rubrics, ledger, workers, sandbox, engine, in this order; closed in the opposite one.

    A sandbox that does not start is no error: tasks that need it are answered with a fault that says why.

    Raises:
        ConfigError, PluginError: something does not fit together.
        LedgerError: the ledger cannot be opened.
    """
    plugins = load_plugins(config)
    registry = plugins.registry
    _check_budgets(registry, config)
    rubrics = RubricBook(config.rubrics.values(), registry)
    sandbox = SandboxKeeper(build_sandbox(config.sandbox) if rubrics.has_async_parts else None)
    pool = build_pools(config, plugins)
    calls = CallPool(config.calls, sandbox, build_models(config), config.sandbox.parallel)
    async with AsyncExitStack() as closing:
        ledger, reader = _open_ledger(config, closing)
        closing.push_async_callback(pool.close)
        await pool.start()
        closing.push_async_callback(calls.close)
        await calls.start()
        yield Service(config, registry, Engine(rubrics, pool, calls, ledger), sandbox, Replays(ledger), reader)


def build_models(config: ServiceConfig) -> ModelKeeper:
    """Judges and reward models as configured, not asked anything yet. Raises ConfigError."""
    from env_server.judges.judge import ConfiguredJudge
    from env_server.judges.memory import Memory
    from env_server.judges.reward_model import ConfiguredRewardModel

    memory = Memory(config.ledger.data_dir if config.ledger.enabled else None)
    judges = {name: ConfiguredJudge(name, one, memory) for name, one in config.judges.items()}
    models = {name: ConfiguredRewardModel(name, one) for name, one in config.reward_models.items()}
    return ModelKeeper(judges, models, Calibrations.load(config.calibration), memory)


def build_pools(config: ServiceConfig, plugins: LoadedPlugins) -> WorkerPools:
    """Workers for the service's own rewarders, and for each isolated plug-in."""
    isolated = {}
    for plugin in plugins.isolated:
        workers = config.workers.model_copy(update={"processes": plugin.config.processes or config.workers.processes})
        pool = WorkerPool(workers, plugin.as_plugins, plugin.fingerprint, plugin.python)
        isolated[plugin.name] = IsolatedPool(plugin, pool)
    return WorkerPools(WorkerPool(config.workers, config.plugins, plugins.fingerprint), isolated)


def build_sandbox(config: SandboxConfig) -> Backend | None:
    """The backend that is configured, not yet started; None where it is turned off. Raises ConfigError."""
    parallel = config.parallel * _OPEN_AT_ONCE
    match config.backend:
        case "namespaces":
            from sandboxes.namespaces import NamespaceSandbox

            python = str(config.interpreter) if config.interpreter else None
            return NamespaceSandbox(tier=config.tier, parallel=parallel, python=python, cgroup=config.cgroup)
        case "docker":
            from sandboxes.docker import DockerSandbox

            assert config.docker.image is not None, "the configuration was validated"
            return DockerSandbox(config.docker.image, runtime=config.docker.runtime, parallel=parallel)
        case "remote":
            return _remote_sandbox(config.remote)
        case "off":
            return None


def _remote_sandbox(config: RemoteConfig) -> Backend:
    from sandboxes.fusion.client import FusionSandbox
    from sandboxes.remote import RemoteSandbox

    kind = RemoteSandbox if config.protocol == "assay" else FusionSandbox
    with _named("sandbox.remote.urls"):
        return kind(config.urls, token=_token(config.token_file))


@contextmanager
def _named(key: str) -> Iterator[None]:
    """Say which setting it was that a backend could not be made of."""
    try:
        yield
    except SandboxMisconfigured as error:
        raise ConfigError(f"{key}: {error}") from error


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"sandbox.remote.token_file is {str(path)!r}, which cannot be read: {error}") from error


def _check_budgets(registry: Registry, config: ServiceConfig) -> None:
    """The wall clock must not end a call before its CPU budget does: whoever spends it all would go unscored."""
    for spec in registry:
        if spec.cpu_budget_s and spec.cpu_budget_s >= config.workers.call_timeout_s:
            raise ConfigError(
                f"workers.call_timeout_s is {config.workers.call_timeout_s:g}, and {spec.name} may take "
                f"{spec.cpu_budget_s:g} s of CPU time",
                hint="give call_timeout_s several times the largest CPU budget",
            )


def _open_ledger(config: ServiceConfig, closing: AsyncExitStack) -> tuple[LedgerWriter | None, LedgerReader | None]:
    if not config.ledger.enabled:
        return None, None
    writer = LedgerWriter(
        config.ledger.data_dir,
        max_waiting_records=config.ledger.max_waiting_records,
        keep_replies_s=config.ledger.keep_replies_h * 3600,
    )
    closing.callback(writer.close)
    reader = LedgerReader(config.ledger.data_dir)
    closing.callback(reader.close)
    return writer, reader
