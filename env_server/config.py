"""Every setting of the reward service. Read once, passed down as a value."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rewarders.errors import ConfigError
from rewarders.registry import first_problem
from rewarders.rubric import Rubric

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Base of the sections: closed, frozen, documented field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ServerConfig(Section):
    """`[server]`: where it listens and what it accepts."""

    host: str = "127.0.0.1"
    """Address to listen on. Outside loopback only together with `allow_remote`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes a free port and says which."""
    allow_remote: bool = False
    """Listen outside loopback although there is no authentication yet. Put it behind something that has."""
    max_body_bytes: Count = 32 * 1024 * 1024
    """A longer request body is refused with 413."""
    max_json_values: Count = 250_000
    """A body with more keys and values is refused with 413 before it is parsed."""
    max_completions_per_request: Count = 1024
    """A request with more items is refused with 413."""
    max_connections: Count = 2048
    """More clients at once are answered 503."""
    body_timeout_s: Positive = 30.0
    """A body that has not arrived by then is refused with 408."""


class PluginsConfig(Section):
    """`[plugins]`: whose rewarders are loaded."""

    load: tuple[str, ...] | None = None
    """Installed distributions by name; every one with rewarders if not given. Nothing else is imported."""
    modules: tuple[str, ...] = ()
    """Importable modules that are not packaged, such as a rewarder still being written."""


class WorkersConfig(Section):
    """`[workers]`: the processes that run pure rewarders."""

    processes: Count = Field(default_factory=lambda: os.cpu_count() or 1)
    """One for each core by default."""
    call_timeout_s: Positive = 30.0
    """Wall-clock rescue for one call, from dispatch. Blame is assigned by the rewarder's own CPU budget."""
    memory_bytes: Annotated[int, Field(ge=256 * 1024**2, le=1024**5)] = 2 * 1024**3
    """Address space of one process; a completion that needs more scores 0, `too_costly`."""
    max_waiting_jobs: Count = 65_536
    """A request that would make the queue longer is answered 503 with Retry-After."""


class CallsConfig(Section):
    """`[calls]`: async rewarders, which wait for a sandbox and the like on an event loop of their own."""

    at_once: Count = 64
    """Calls under way at once; the rest wait."""
    timeout_s: Positive = 600.0
    """Wall-clock rescue for one call, from dispatch, time in the queue for a sandbox left out."""
    max_waiting: Count = 65_536
    """A request that would leave more calls unanswered is answered 503 with Retry-After."""


class DockerConfig(Section):
    """`[sandbox.docker]`: with `backend = "docker"`."""

    image: str | None = None
    """The runner image, by digest."""
    runtime: str | None = None
    """`runsc` for gVisor; the engine's default if not given."""


class RemoteConfig(Section):
    """`[sandbox.remote]`: with `backend = "remote"`."""

    urls: tuple[str, ...] = ()
    """Where `python -m sandboxes serve` listens; programs are spread over them."""
    token_file: Path | None = None
    """Holds the bearer token."""
    protocol: Literal["assay", "sandboxfusion"] = "assay"
    """What is spoken there. SandboxFusion's cannot link two programs, as some tests need."""


class SandboxConfig(Section):
    """`[sandbox]`: where programs run that nobody trusts."""

    backend: Literal["namespaces", "docker", "remote", "off"] = "namespaces"
    """`off` leaves every completion that has to be run unscored."""
    tier: Literal["full", "landlock"] = "full"
    """`landlock` is weaker and needs no user namespaces. It is never chosen for you."""
    parallel: Count = Field(default_factory=lambda: os.cpu_count() or 1)
    """Completions whose programs run at once; one for each core by default. With `remote`, give the cores there."""
    interpreter: Path | None = None
    """The Python that programs are run by; the one this service is run by, without its packages, if not given."""
    cgroup: str = ""
    """A delegated control group (version 2) for the limits of several processes together; empty looks for one, `-`
    uses none."""
    docker: DockerConfig = DockerConfig()
    """With `backend = "docker"`."""
    remote: RemoteConfig = RemoteConfig()
    """With `backend = "remote"`."""

    @model_validator(mode="after")
    def _the_backend_has_what_it_needs(self) -> Self:
        if self.backend == "docker" and self.docker.image is None:
            raise ValueError("backend is 'docker', and docker.image is not given")
        if self.backend == "remote" and not self.remote.urls:
            raise ValueError("backend is 'remote', and remote.urls is empty")
        return self


class LedgerConfig(Section):
    """`[ledger]`: where rewards are recorded."""

    data_dir: Path = Path("assay-data")
    """Holds `ledger.sqlite3`."""
    enabled: bool = True
    """Off, nothing is recorded and no answer carries a record id. For measurements only."""
    max_waiting_records: Count = 16_384
    """A request that would make the queue longer is answered 503 with Retry-After."""
    keep_replies_h: Positive = 24.0
    """How long an answer is kept for its idempotency key."""


class ServiceConfig(Section):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    """Where it listens and what it accepts."""
    plugins: PluginsConfig = PluginsConfig()
    """Whose rewarders are loaded."""
    workers: WorkersConfig = Field(default_factory=WorkersConfig)
    """The processes that run pure rewarders."""
    calls: CallsConfig = CallsConfig()
    """Async rewarders, which wait for a sandbox and the like."""
    sandbox: SandboxConfig = Field(default_factory=SandboxConfig)
    """Where programs run that nobody trusts."""
    ledger: LedgerConfig = LedgerConfig()
    """Where rewards are recorded."""
    rubrics: dict[str, Rubric] = Field(default_factory=dict)
    """`[rubrics."name.v1"]`: rubrics beside the built-in ones, as in `rewarders/rubrics/*.toml`."""

    @model_validator(mode="after")
    def _one_request_fits_the_queues(self) -> Self:
        smallest = min(self.workers.max_waiting_jobs, self.calls.max_waiting, self.ledger.max_waiting_records)
        if smallest < self.server.max_completions_per_request:
            raise ValueError("a queue is shorter than server.max_completions_per_request: a full request never fits")
        return self

    @field_validator("rubrics", mode="before")
    @classmethod
    def _name_them(cls, tables: Any) -> Any:
        if not isinstance(tables, dict):
            return tables
        return {name: {"name": name, **t} if isinstance(t, dict) else t for name, t in tables.items()}


def load_config(path: Path | None, overrides: dict[str, Any]) -> ServiceConfig:
    """Read the configuration file, if there is one, and apply the flags that were given.

    Args:
        path: a TOML file; None takes every default.
        overrides: dotted key to value, as in `{"server.port": 0}`; None values are flags that were not given.

    Raises:
        ConfigError: naming the key, what is wrong with it, and the file.
    """
    data = _read_toml(path) if path else {}
    for key, value in overrides.items():
        if value is not None:
            section, _, name = key.partition(".")
            table = data.setdefault(section, {})
            if isinstance(table, dict):  # validation reports the rest
                table[name] = value
    try:
        return ServiceConfig.model_validate(data)
    except ValidationError as error:
        key = ".".join(str(step) for step in error.errors()[0]["loc"])
        given = error.errors()[0]["input"]
        value = f" is {given!r}" if isinstance(given, str | int | float) else ""
        problem = first_problem(error).rpartition(": ")[2]
        raise ConfigError(f"{path or 'the flags'}: {key}{value}: {problem}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="give an existing file to --config") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
