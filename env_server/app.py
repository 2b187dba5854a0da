"""The one place where the service is built, wired and closed."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from fastapi import FastAPI

from env_server.admission import Admission
from env_server.build import SERVICE_BUILD
from env_server.calls import CallPool
from env_server.config import LedgerConfig, RemoteConfig, SandboxConfig, ServiceConfig
from env_server.dialects import nemo_gym, openrlhf, slime
from env_server.engine import Engine
from env_server.idempotency import Replays
from env_server.isolation import LoadedPlugins, load_plugins
from env_server.judges.calibrations import Calibrations
from env_server.judges.keeper import ModelKeeper
from env_server.keys.exposure import allowed_hosts
from env_server.keys.guard import Guard
from env_server.keys.ring import KeyRing
from env_server.keys.store import KeyStore
from env_server.ledger.reader import LedgerReader
from env_server.ledger.rubrics import remember_rubrics
from env_server.ledger.writer import LedgerWriter
from env_server.observing.metrics import Metrics
from env_server.observing.polling import Poll
from env_server.redaction import Redactor
from env_server.routes import documents, metrics, reading, records, score
from env_server.rubric_book import RubricBook
from env_server.sandbox_keeper import Backend, SandboxKeeper
from env_server.service import Service
from env_server.verdict_cache import VerdictCache
from env_server.worker_pools import IsolatedPool, WorkerPools
from env_server.workers import WorkerPool
from rewarders.errors import ConfigError
from rewarders.registry import Registry
from sandboxes.errors import SandboxMisconfigured

_MOST_READING_S = 10.0
"""For one statement of a search: whoever asks for more is told to ask for less."""
_OPEN_AT_ONCE = 2
"""A call may have a second submission open beside its first. `parallel` calls have their turn at once: were there no
more places than turns, each call could hold one and wait for a second for ever."""


def create_app(service: Service) -> FastAPI:
    """The HTTP face of a service that is open."""
    app = documents.DocumentedApp(
        title="Assay reward service", version=SERVICE_BUILD.split()[1], docs_url=None, redoc_url=None,
        redirect_slashes=False,  # the redirect would go to whatever Host was sent
        # FastAPI's own would export messages of exceptions, and what a request held that is refused.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    app.state.service = service
    documents.install(app)
    app.include_router(score.router)
    app.include_router(reading.router)
    app.include_router(records.router)
    app.include_router(metrics.router)
    app.include_router(openrlhf.router)
    app.include_router(slime.router)
    app.include_router(nemo_gym.router)
    app.add_middleware(Guard, hosts=allowed_hosts(service.config.server), keys=service.keys)
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
    rubrics = RubricBook(config.rubrics.values(), registry, memory_bytes=config.workers.memory_bytes)
    sandbox = SandboxKeeper(build_sandbox(config.sandbox) if rubrics.has_async_parts else None)
    pool = build_pools(config, plugins)
    calls = CallPool(config.calls, sandbox, build_models(config), config.sandbox.parallel)
    async with AsyncExitStack() as closing:
        ledger, reader = _open_ledger(config, rubrics, closing)
        closing.push_async_callback(pool.close)
        await pool.start()
        closing.push_async_callback(calls.close)
        await calls.start()
        counting = Metrics()
        verdicts = VerdictCache(config.cache.max_bytes)
        engine = Engine(rubrics, pool, calls, ledger, build_redactor(config), counting, verdicts)
        admission = Admission(config.limits, config.server.workers)
        poll = Poll(counting.registry)
        keys = _open_keys(config, closing)
        service = Service(
            config, registry, engine, sandbox, Replays(ledger), reader, counting, poll, keys=keys, admission=admission
        )
        for bodies in (service.large_bodies, service.doubted_bodies):
            closing.push_async_callback(bodies.close)
        yield service


def _open_keys(config: ServiceConfig, closing: AsyncExitStack) -> KeyRing | None:
    if not config.keys.enabled:
        return None
    ring = KeyRing(KeyStore(config.ledger.place))
    closing.push_async_callback(ring.close)
    return ring


def build_models(config: ServiceConfig) -> ModelKeeper:
    """Judges and reward models as configured, not asked anything yet. Raises ConfigError."""
    from env_server.judges.judge import ConfiguredJudge
    from env_server.judges.memory import Memory
    from env_server.judges.reward_model import ConfiguredRewardModel

    redactor = build_redactor(config)
    may_keep = redactor.finds_nothing if redactor else None
    memory = Memory(config.ledger.data_dir if config.ledger.enabled else None, may_keep)
    judges = {name: ConfiguredJudge(name, one, memory) for name, one in config.judges.items()}
    models = {name: ConfiguredRewardModel(name, one) for name, one in config.reward_models.items()}
    return ModelKeeper(judges, models, Calibrations.load(config.calibration), memory)


def build_redactor(config: ServiceConfig) -> Redactor | None:
    """What takes secrets out of records; None where no rule is configured."""
    return Redactor.of(config.redaction.built_in, config.redaction.rules)


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


def build_writer(config: LedgerConfig) -> LedgerWriter:
    """A writer of the ledger, with a slot and a tree of its own, for a service or for one command.

    Raises:
        ConfigError, LedgerError: the ledger cannot be opened.
    """
    return LedgerWriter(
        config.place,
        max_waiting_records=config.max_waiting_records,
        keep_replies_s=config.keep_replies_h * 3600,
        publish_dir=config.publish_dir,
    )


def _open_ledger(
    config: ServiceConfig, rubrics: RubricBook, closing: AsyncExitStack
) -> tuple[LedgerWriter | None, LedgerReader | None]:
    if not config.ledger.enabled:
        return None, None
    remember_rubrics(config.ledger.place, rubrics.rubrics)
    writer = build_writer(config.ledger)
    closing.callback(writer.close)
    reader = LedgerReader(config.ledger.place, _MOST_READING_S)
    closing.callback(reader.close)
    return writer, reader
